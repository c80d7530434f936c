# The lock screen, which covers a meeting when nobody has touched the computer for as long as the IT department says.

lock-soon = This window is about to lock: nobody has touched the computer for a while. Move the mouse to keep it open.
lock-title = Locked
lock-detail = Nobody has touched this computer for a while. You are still in the meeting; your camera is closed, your microphone muted, and you hear nothing. Once unlocked, sound returns; camera and microphone wait for you.
lock-leave = Leave the meeting
# Behind the words that say what was wrong.
lock-wrong = { $problem } { $left ->
    [1] With the next wrong one you leave the meeting.
   *[other] After { $left } more wrong ones you leave the meeting.
}
lock-left = You left the meeting: the password or PIN that unlocks the window was wrong too often.
lock-ended = While the window was locked, the meeting ended for you. { $reason }
lock-forgotten = Nobody has touched this computer for a while, so your credential was locked again.
