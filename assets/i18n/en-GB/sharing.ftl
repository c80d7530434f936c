# Sharing a screen: the button, the picker, the leave of the chair, the shared picture.

control-share = Share
control-share-asked = Asked
control-share-stop = Stop sharing
control-share-spoken = Share a screen or window. Shortcut: S
control-share-ask-spoken = Share a screen or window; the chair is asked first. Shortcut: S
control-share-asked-spoken = The chair has been asked whether you may share. Take the request back. Shortcut: S
control-share-granted-spoken = The chair lets you share. Choose a screen or window. Shortcut: S
control-share-opening-spoken = The screen is being opened. Stop it. Shortcut: S
control-share-stop-spoken = Stop sharing your screen. Shortcut: S

share-title = Share a screen
share-screens = Whole screens
share-windows = Windows
share-looking = Looking for screens and windows…
share-none = Nothing here can be shared.
share-failed = Nothing can be shared: { $reason }.
share-look-again = Look again
share-main = Main screen
share-untitled = Untitled window
share-picker = Choose in the system's own window
share-picker-detail = The system asks you which screen or window, once.
share-size = { $width } × { $height }
# Read out for a screen or window to choose.
share-choose-screen = Whole screen { $name }, { $size }
share-choose-window = Window { $name }, { $size }
share-whole-hint = Everything on this screen is seen by all, messages that appear on it included.
share-level = Level of what is shown
share-level-hint = Something of a higher level? The level of the meeting has to be raised first.
# Read out for a level to choose.
share-level-choose = What is shown is { $level }
share-do = Share
share-do-ask = Ask the chair
share-do-other = Share this instead
share-replaces = { $name } shares a screen at the moment; that ends.
share-asks-first = Nothing is captured before the chair says yes, and before you then begin.
share-choose-first = Choose a screen or a window.
share-nobody = Nobody is here who could let you share.
share-busy = { $name } shares a screen. You can share when they have ended it.

share-mine = You share “{ $name }” with { $count ->
    [one] one person
   *[other] { $count } people
}
share-mine-unnamed = You share a screen with { $count ->
    [one] one person
   *[other] { $count } people
}
share-mine-alone = You share “{ $name }”; nobody else is here yet
share-mine-alone-unnamed = You share a screen; nobody else is here yet
share-mine-minimised = The window is minimised: the others see no picture of it.
share-mine-locked = The screen is locked: the others see no picture of it.
share-stop = Stop sharing
share-stop-spoken = Stop sharing your screen. Shortcut: S
share-opening = The screen is being opened…
share-asking = You have asked the chair whether you may share a screen.
share-take-back = Take back
share-granted = The chair lets you share a screen.
share-begin = Share now
share-begin-choose = Choose…
share-decline = Not now

share-of = { $name }, { $seat }
share-head = { $name }, { $seat }, shares a screen
# Read out for the shared picture.
share-spoken = { $name }, { $seat }, shares a screen. Level of what is shown: { $level }.
share-waiting = Waiting for the picture…
share-paused = { $name } shows no picture at the moment.
share-fit = Fit
share-fit-spoken = Fit the shared screen into the window. Shortcut: F
share-full = Actual size
share-full-spoken = Show the shared screen pixel by pixel; drag to move it. Shortcut: F
share-end-short = Stop sharing
share-end-spoken = Stop the sharing of { $name }
share-more = { $count } more
share-more-spoken = { $count } more people are in the meeting; the list of participants has them all.

share-requests = Would like to share a screen ({ $count })
# Read out for somebody who asks.
share-request-spoken = { $name }, { $seat }, would like to share a screen of the level { $level }, since { $time }.
share-request-detail = { $level }, since { $time }
share-let = Let share
share-let-spoken = Let { $name } share a screen
share-let-not = Not now
share-let-not-spoken = Do not let { $name } share a screen
share-shares = { $name } shares a screen
share-may = { $name } may share a screen, and has not begun
share-may-end = Take back
share-may-end-spoken = Take back that { $name } may share a screen
strip-share = { $count ->
    [one] { $name } would like to share a screen.
   *[other] { $name } and { $others } more would like to share a screen.
}

sharing-granted = The chair lets you share a screen.
sharing-denied = The chair does not let you share a screen now.
sharing-stopped = Your sharing was ended by the chair.
sharing-level-lowered = Your sharing has ended: the level of the meeting is { $level } now, below that of what you showed.
sharing-label-above = Not shared: the meeting is at { $level }. Raise its level first, or choose a lower one for what you show.
sharing-no-leave = Not shared: the chair has not let you.
sharing-busy = { $who ->
    [nobody] Not shared: somebody else shares a screen.
   *[other] Not shared: { $who } shares a screen.
}
sharing-nobody-decides = Not shared: nobody is here who could let you.
sharing-not-chair = Only the chair can do this.
sharing-gone = They do not ask or share any more.
sharing-disconnected = Your sharing has ended with the connection. Share again once you are back.
sharing-encoder = The picture of your screen was interrupted: { $reason }
sharing-began = { $who ->
    [nobody] Somebody shares a screen: { $level }.
   *[other] { $who } shares a screen: { $level }.
}
sharing-withheld-leave = { $who ->
    [nobody] Somebody sends a screen without the chair's leave. It is not shown.
   *[other] { $who } sends a screen without the chair's leave. It is not shown.
}
sharing-withheld-label = { $who ->
    [nobody] Somebody sends a screen without a level. It is not shown.
   *[other] { $who } sends a screen without a level. It is not shown.
}
sharing-withheld-above = { $who ->
    [nobody] Somebody sends a screen marked { $level }, above the level of the meeting. It is not shown.
   *[other] { $who } sends a screen marked { $level }, above the level of the meeting. It is not shown.
}
sharing-withheld-usurped = { $who ->
    [nobody] Somebody who is not the chair lets others share. It does not count.
   *[other] { $who }, who is not the chair, lets others share. It does not count.
}
sharing-lost = Your sharing has ended: { $reason }.
screen-no-display = the screen cannot be reached ({ $reason }); share from within a desktop session
screen-unknown = the screen “{ $id }” is not there; plug it in or choose another
screen-unknown-window = the window is not there any more; choose another
screen-window-closed = the window was closed; choose another to go on
screen-unplugged = the screen was unplugged or switched off; choose another to go on
screen-declined = the system did not let the screen be shared; choose one in its question and allow it
screen-ended = the system ended it; share again to go on
screen-no-portal = this desktop offers no way to share a screen ({ $reason }); ask your IT department for xdg-desktop-portal and PipeWire
screen-unsupported = this cannot be shared here ({ $reason }); choose another screen or window
screen-broken = the picture of the screen broke off ({ $reason }); share again
screen-other = { $reason }
