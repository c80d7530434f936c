# What went wrong: what, where, what to do.

device-camera = camera
device-microphone = microphone
device-speaker = loudspeaker

capture-off = The { $device } is switched off.
capture-none = No { $device } found ({ $reason }).
capture-unknown = The { $device } “{ $name }” is not there. Plug it in or choose another.
capture-busy = The { $device } “{ $name }” is in use by another program. Close that program or choose another { $device }.
capture-denied = The system does not let Conclave use the { $device } “{ $name }”. Allow it in the system's settings.
capture-unsupported = The { $device } “{ $name }” offers no format that can be used: { $reason }.
capture-not-opened = The { $device } “{ $name }” could not be opened: { $reason }.
capture-lost = The { $device } “{ $name }” is gone. Plug it in again or choose another.
capture-silent = The { $device } “{ $name }” has given nothing but silence for { $reason } s: nobody hears you. Look at its own switch and at the system’s sound settings.
capture-frozen = The { $device } “{ $name }” has given nothing for { $reason } s. Plug it in again or choose another.
capture-other = { $reason }

connect-name = The name of the relay, { $relay }, is not known here. Check the network connection.
connect-refused = The relay { $relay } is not running.
connect-unreachable = The relay { $relay } cannot be reached: { $reason }.
connect-timeout = The relay { $relay } does not answer.
connect-wrong-relay = The server at { $relay } is not the relay that the invitation names ({ $reason }). Nothing was sent to it.
connect-credential = The relay { $relay } does not accept your credential: { $reason }.
connect-tls = No secure connection to the relay { $relay }: { $reason }.
connect-not-a-relay = What answers at { $relay } is no Conclave relay: { $reason }.
connect-lost = The connection to the relay was lost.
connect-silent = The relay has been silent for { $seconds } s.
connect-garbage = The relay sent what makes no sense.
connect-stuck = The connection to the relay is stuck.
connect-socket = The system gives no network socket for sound and picture: { $reason }.

refusal-version = The relay and this app speak different versions.
refusal-invitation = The relay does not accept the invitation's signature.
refusal-not-invited = You are not on the list of participants.
refusal-too-early = The meeting has not begun.
refusal-over = The meeting is over.
refusal-level = The relay may not carry meetings of this level.
refusal-full = The relay has no place left.
refusal-replaced = You joined from another computer.
refusal-already-here = You are in this meeting already, from another computer.
refusal-revoked = Your credential has been revoked.
refusal-denied = The chair did not let you in.
refusal-ejected = The chair put you out of the meeting.
refusal-too-often = Your credential has tried to connect too often. The app tries again, less often.
refusal-misbehaved = The relay ended the connection because of an error in this app.
refusal-going-away = The relay is shutting down.
refusal-not-resumed = The relay took this connection to be gone.

retry-media-path = Sound and picture do not get through: a firewall may block UDP to the relay.
retry-not-let-in = Nobody in the meeting has let you in yet.
retry-out-of-step = The encryption lost step with the others.
retry-nobody-leads = Nobody who may lead this meeting is there. You come in when one of them does.
retry-unvouched = Nobody who may lead this meeting has confirmed it to this app. Nothing was sent.

end-left = You left the meeting
end-over = The meeting is over
end-card-removed = Your card was removed, so you have left the meeting.
end-removed = You were removed from the meeting
end-level-raised = The meeting is at { $level } now, above your clearance
end-credential = Your credential cannot be used for this meeting: { $reason }
end-untrustworthy = The meeting cannot be trusted: { $reason }
end-failed = The app could not go on: { $reason }

advice-left = Microphone and camera are closed.
advice-insert-card = Insert the card and enter the meeting again with your PIN.
advice-ask-chair = Ask the chair if you think this is a mistake.
advice-ejected = That is for good. Ask the office that invited you if you think this is a mistake.
advice-ask-registry = Ask the office that invited you.
advice-update = Ask your IT staff for the current version.
advice-replaced = Your credential is in use there. If that was not you, tell your security officer now.
advice-report = Tell your security officer. Nothing was sent.
advice-again = Try again; if it happens again, tell your IT staff.

# Why a file cannot be read, at the end of a sentence.
file-missing = there is no such file
file-denied = you are not allowed to read it
file-folder = it is a folder
file-not-ordinary = it is no ordinary file

credential-wrong-password = The password is wrong.
credential-unreadable = { $file } cannot be read: { $reason }.
credential-permissions = { $file } can be read by other users of this computer. Make it readable by you alone (chmod 600).
credential-expired = Your credential expired on { $when }. Ask your registry for a new one.
credential-early = Your credential is valid only from { $when } on. Is the clock of this computer right?
credential-mismatch = The key in the file does not belong to its certificate. Ask your registry for a new one.
credential-broken = The file is damaged or no credential. Ask your registry for a new copy.
credential-unusable = The credential cannot be used: { $reason }.

card-address = That is no address of a card: { $reason }.
card-module = { $file } is no driver for cards. Ask your IT staff.
card-no-module = The driver for cards, { $file }, is not installed here. Ask your IT staff.
card-module-start = The driver for cards, { $file }, does not start ({ $reason }). Ask your IT staff.
card-none = The card is not there. Insert it and try again.
card-other = The card in the reader is another one: { $found }. This needs { $wanted }.
card-several = Several cards fit. Ask your IT staff for the address of yours.
card-pin = The PIN is wrong.
card-pin-last = The PIN is wrong. One more wrong PIN locks the card.
card-locked = The card is locked after too many wrong PINs. Its issuer can unlock it.
card-empty = The card holds no credential. Ask your registry.
card-many = The card holds several credentials. Ask your IT staff for the address of yours.
card-root = The card does not bring the trusted root. Ask your IT staff to add it to the address.
card-refused = The card does not answer as it should. Is it still there?

invitation-broken = The file is no invitation, or it is damaged. Ask for it again.
invitation-altered = The invitation was altered after it was signed. Do not use it, and tell your security officer.
invitation-foreign = The invitation does not come from an office that your credential trusts: { $reason }.
invitation-unusable = The invitation cannot be used: { $reason }.

window-early = The meeting begins at { $when }.
window-over = The meeting was over at { $when }.
entry-above-maximum = This meeting is { $found }. Your IT department allows this computer to be used up to { $allowed }.

member-not-listed = You are not on the list of participants. Ask the office that invited you.
member-clearance = Your clearance does not reach the level of this meeting.
member-clearance-expired = Your clearance ended on { $when }.
member-revoked = Your credential was revoked on { $when }. Ask your registry for a new one.
member-not-releasable = The meeting is not releasable to { $seat }.
member-other = Your credential does not fit the invitation: { $reason }.
start-failed = The meeting could not be started: { $reason }
