# The first screen, the password, the settings, the end.

home-title = Meetings
home-open = Open invitation
home-drop-hint = or drop the file with the invitation here
home-drop-now = Drop the invitation to open it
home-recent = Recent invitations
# Read out for a row of the list.
home-recent-spoken = Open { $title }, { $when }, { $level }
home-forget = Remove { $title } from the list
home-demo = See a demonstration
home-demo-title = New here?
home-demo-hint = A whole meeting on this computer, with five simulated delegates.
home-demo-busy = Preparing the demonstration…
home-opening = Opening the invitation…
home-dialog-filter = Conclave invitations
home-dialog-title = Open an invitation
home-not-a-file = { $file } cannot be read: { $reason }

# An invitation that is not used, and why.
home-refused = { $file }: { $reason }

path-no-dialog = This computer has no window to choose files with: neither xdg-desktop-portal nor zenity is installed or works. Your IT staff can install one.
path-hint-invitation = Until then, write the path of the invitation here, drop the file onto this window, or start the app with “conclave FILE”.
path-hint-credential = Until then, write the path of your credential here, or drop the file onto this window.
path-hint-card = Your IT staff has the address of your card, as “pkcs11:token=Anna?module-path=/usr/lib/opensc-pkcs11.so”. It holds no PIN; that is asked for when you enter a meeting.
path-card-title = Use a smart card
path-card = Address of the card
path-invitation = Path of the invitation
path-credential = Path of the credential
path-open = Open
path-use = Use it

credential = Your credential
credential-none = No credential chosen yet. Your registry gives it to you as a file.
credential-locked = Locked until you join a meeting
credential-unlocked = Unlocked
credential-choose = Choose credential
credential-other = Other credential
credential-card = Use a smart card
credential-forget = Forget
credential-dialog-title = Choose your credential
credential-dialog-filter = Credentials

unlock-title = Unlock your credential
unlock-for = To enter “{ $title }”
unlock-unchecked = “{ $file }” is checked with your credential before anything it says is shown.
unlock-title-card = Unlock your card
unlock-card = Card: { $file }
unlock-card-any = Card: the one in the reader
unlock-pin = PIN
unlock-file = File: { $file }
unlock-password = Password
unlock = Unlock
unlock-busy = Unlocking…

settings-devices = Devices to begin with
settings-camera-on = Enter meetings with the camera on
settings-microphone-on = Enter meetings with the microphone on
settings-original-sound = Send original sound: no echo cancellation, noise suppression or gain (with headphones only)
settings-version = Conclave { $version }

ended-again = Return to the meeting
ended-home = To the first screen

# The title of the meeting that a demonstration makes.
demo-title = Demonstration: preparation of the Council
