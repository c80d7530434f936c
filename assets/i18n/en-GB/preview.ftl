# Before entering.

preview-me = You enter as { $name }, { $seat }. { $count ->
    [one] One person is invited.
   *[other] { $count } people are invited.
}
preview-picture-on = Your picture, as in a mirror. Nobody else sees it yet.
preview-picture-off = Your camera is off
preview-picture-opening = Opening the camera…
preview-meter = Loudness of your microphone
preview-meter-hint = Say something: the bar should move. Nobody hears you yet.
preview-meter-muted = You will enter muted.
preview-enter = Enter the meeting
preview-lobby = You wait in the lobby first; the chair lets you in.
preview-entering = Entering…
