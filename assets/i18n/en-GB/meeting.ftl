# The meeting.

control-roster-show = Show the participants ({ $count }). Shortcut: P
control-roster-hide = Hide the participants. Shortcut: P
control-leave = Leave the meeting
leave = Leave

roster-title = Participants ({ $count })
roster-short = People ({ $count })
roster-hint = Names and seats are certified.

tile-me = { $name } (you)
tile-no-picture-yet = Waiting for the picture…
tile-picture-fails = Picture damaged
tile-not-opened = Cannot be decrypted
tile-forged = Not what they sent
tile-unproven = Not confirmed as theirs
# Read out for a tile: who, then the states below, one sentence each.
tile-spoken = { $name }, { $seat }, { $role }.
tile-spoken-me = You: { $name }, { $seat }, { $role }.
tile-speaking = Speaking.
tile-microphone-on = Microphone on.
tile-microphone-off = Microphone muted.
tile-microphone-missing = No microphone.
tile-camera-on = Camera on.
tile-camera-fails = Camera on, but what comes of it is damaged or no picture. It is shown again as soon as it is one.
tile-camera-off = Camera off.
tile-camera-missing = No camera.
key-verified = Identity verified; nothing received yet.
key-open = Identity verified; encrypted end to end.
key-forged = Somebody sent sound or picture in this person's name. Nothing of it is shown or played.
key-unproven = Nothing confirms at the moment that this person's sound or picture is their own: too much is lost on the way, or held back. Nothing of it is shown or played until that is certain.
key-failing = What this person sends cannot be decrypted. Nothing of it is shown or played.

encrypted = End-to-end encrypted
encrypted-attacked = Security alert
encryption-detail = Only the { $count ->
    [one] one participant
   *[other] { $count } participants
} here can see and hear this meeting; the relay cannot. Suite { $suite }, epoch { $epoch }.

quality-none = No connection
quality-bad = Bad connection
quality-fair = Fair connection
quality-good = Good connection
quality-very-good = Very good connection
quality-detail = Relay { $relay }, { $time } ms there and back, { $loss } % lost.
quality-squeezed = { $count ->
    [one] One picture is smaller than it could be, or missing: your line carries no more.
   *[other] { $count } pictures are smaller than they could be, or missing: your line carries no more.
}

speaker-open = { $device }
speaker-none = No loudspeaker

stage-connecting = Connecting to { $relay }…
stage-attempt = Attempt { $attempt }.
stage-too-early = The meeting begins at { $when }
stage-too-early-detail = You will enter by yourself as soon as it begins.
stage-waiting = Waiting to be let in
stage-locked = The meeting is locked
stage-locked-detail = The chair sees that you wait, and can unlock it. Nobody sees or hears you yet.
stage-joined = In the meeting
stage-ask-take-over = You are in this meeting already, from another place.
stage-ask-take-over-detail = If you go on here, the other connection ends.
stage-waiting-detail = Those in the meeting check your credential. This takes a moment.
stage-reconnecting-now = Connecting again (attempt { $attempt })…
stage-reconnecting-in = Trying again in { $seconds } s.
strip-key-failing = What { $names } sends cannot be decrypted. Nothing of it is shown or played.

strip-key-forged = Sound or picture came in the name of { $names }, who did not send it. Nothing of it is shown or played.

toast-device-back = { $name } works again.
toast-reconnected = You are back in the meeting.
toast-newcomer-refused = Somebody tried to join and was refused: { $reason }
toast-undecryptable = { $frames ->
    [one] A piece
   *[other] { $frames } pieces
} of sound or picture{ $who ->
    [nobody] {""}
   *[other] {" "}from { $who }
} could not be decrypted and { $frames ->
    [one] was
   *[other] were
} thrown away.
toast-encoder = Sending has stopped: { $reason }
toast-objected = { $who ->
    [nobody] Somebody changed the meeting against its rules; the change is not followed. { $reason }
   *[other] { $who } changed the meeting against its rules; the change is not followed. { $reason }
}
toast-forged = { $who ->
    [nobody] Sound or picture came in the name of somebody who did not send it. It is not played.
   *[other] Sound or picture came in the name of { $who }, who did not send it. It is not played.
}
toast-diverged = { $who ->
    [nobody] Somebody keeps the participants apart. Do not go on with the meeting on this relay.
   *[other] Somebody keeps you and { $who } apart. Do not go on with the meeting on this relay.
}
toast-revoked = { $who ->
    [nobody] A participant's credential has been revoked. They are put out of the meeting.
   *[other] The credential of { $who } has been revoked. They are put out of the meeting.
}
toast-nobody-vouched = Nobody who may lead was in this meeting before you. Look who is at the table before you speak.
order-not-chair = Only the chair can do this.
order-not-originator = Only the originator can agree to a lower level.
order-no-originator = The invitation names nobody who may lower the level.
order-no-consent = The originator has not agreed to a lower level.
order-ceiling = This meeting can go no higher than { $level }.
order-not-cleared = Your own clearance does not reach that level.
order-gone = They are not there any more.
order-sign = Your credential could not sign. Is the card still there?
toast-busy = The app is busy. Please try again.
