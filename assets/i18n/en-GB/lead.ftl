# Leading the meeting: lobby, lock, putting out, the level; and what can be checked of its security.

lobby-title = Waiting in the lobby ({ $count })
lobby-hint-chair = You decide who comes in. What is shown here is certified.
lobby-hint = The chair decides who comes in.
lobby-unknown = Unknown person
lobby-unknown-detail = No valid certificate
lobby-ready = On the list, credential valid
lobby-since = waiting since { $time }
# Read out for somebody who waits.
lobby-spoken = { $name }, { $detail }. { $clearance }. { $state }
lobby-admit = Admit
lobby-admit-spoken = Admit { $name }
lobby-deny = Send away
lobby-deny-spoken = Send { $name } away
lobby-admit-all = Admit all on the list ({ $count })
strip-lobby = { $count ->
    [one] { $name } waits in the lobby.
   *[other] { $name } and { $others } more wait in the lobby.
}
strip-lobby-show = Show

clearance-up-to = Cleared up to { $level }
clearance-none = No clearance
clearance-ended = Clearance ended on { $when }

# Why somebody in the lobby cannot be let in.
newcomer-package = What they sent to join is not valid.
newcomer-own = They hold your own credential.
newcomer-twice = The same credential is here already.
newcomer-not-listed = Not on the list of participants.
newcomer-list-differs = Their certificate says something else than the list.
newcomer-not-cleared = Their clearance does not reach { $level }.
newcomer-clearance-ended = Their clearance ended on { $when }.
newcomer-not-releasable = The meeting is not releasable to { $seat }.
newcomer-revoked = Their credential has been revoked.
newcomer-certificate = Their certificate is not valid: { $reason }.
newcomer-ejected = They were put out of this meeting.
newcomer-locked = The meeting is locked.

lead-title = You lead the meeting
lead-lock = Lock
lead-lock-spoken = Lock the meeting: only those let in before can come back
lead-unlock = Unlock
lead-unlock-spoken = Unlock the meeting
lead-level = Level…
lead-level-spoken = Change the level of the meeting
lead-consent = Agree to a lower level…
lead-locked = Locked
lead-locked-spoken = The meeting is locked. Only those let in before can come back.

eject-spoken = Put { $name } out of the meeting
eject-title = Put { $name } out?
eject-detail = { $seat }. They are cut off at once, get none of the keys from then on, and cannot come back to this meeting.
eject-do = Put out

level-title = Change the level
level-detail = Now: { $level }
# Read out for a level to choose.
level-choose = Level { $level }
level-raise = Raise to { $level }
level-lower = Lower to { $level }
level-nobody-leaves = Everybody here is cleared for it.
level-leave = { $count ->
    [one] One person is not cleared for it and is put out at once:
   *[other] { $count } people are not cleared for it and are put out at once:
}
level-not-cleared-me = Your own clearance does not reach this level.
level-no-originator = The invitation names nobody who may agree to a lower level.
level-no-consent = { $name } has to agree first, as the originator.
level-consented = { $name }, the originator, has agreed.
level-choose-first = Choose the new level.

consent-title = Agree to a lower level
consent-detail = As the originator you may agree that the level goes down. The chair then lowers it; your agreement counts once.
consent-do = Agree to { $level }
consent-given = You have agreed to { $level }.

security-title = Security of this meeting
security-show = Show the security of this meeting
security-hide = Hide the security of this meeting
security-words = Safety words
# Read out for the six words.
security-words-spoken = Safety words: { $words }
security-words-how = Read them out in turn. All who can hear this meeting have the same six words, and nobody else can make them. If somebody has others, stop: somebody keeps you apart.
security-words-change = They change when somebody comes or goes, and when the door or the level changes; they stay while keys are renewed. If they change while you compare, begin again.
security-no-words = The words are there once you are in the meeting.
security-level = Level
security-keys = Keys
security-keys-since = New since { $time }, epoch { $epoch }
security-suite = Encryption
security-relay = Relay
security-relay-maximum = May carry meetings up to { $level }
security-chair = Chair
security-nobody = Nobody at the moment
security-door = Door
security-door-locked = Locked: only those let in before can come back
security-door-lobby = Lobby: the chair lets people in
security-door-open = Open to everybody on the list
security-out = { $count ->
    [one] One person was put out
   *[other] { $count } people were put out
}
security-who = Who can see and hear ({ $count })
security-waiting = { $count ->
    [one] One person waits and can neither see nor hear.
   *[other] { $count } people wait and can neither see nor hear.
}
standing-confirmed = Has the same keys and list as you.
standing-silent = No sign of life for some seconds.
standing-diverged = Is kept apart from you: has another list or other keys.
strip-diverged = { $names } and you are kept apart: you do not have the same meeting. Stop talking and tell your security officer.

stage-lobby = You are in the lobby
stage-lobby-detail = The chair sees your certified name and seat and lets you in. Nobody sees or hears you yet.
take-over = Go on here
