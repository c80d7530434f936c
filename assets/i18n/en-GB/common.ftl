# Words that several screens share. Markings of levels are never translated and so are not here.

app-name = Conclave
app-claim = Confidential meetings
back = Back
dismiss = Dismiss
cancel = Cancel
settings = Settings
retry-now = Try now

camera = Camera
microphone = Microphone
speaker = Loudspeaker

# The word for a meeting without a classification.
level-unclassified = UNCLASSIFIED
# Read out for the banner with the level at the top and foot of a window.
level-banner-spoken = Level of this meeting: { $level }

role-chair = Chair
role-delegate = Delegate
role-interpreter = Interpreter
role-observer = Observer
role-secretariat = Secretariat
rank-head = Head of delegation
rank-deputy = Deputy
rank-expert = Expert

time-today = Today
time-date = { $day } { $month } { $year }
time-month = { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
}

# Buttons that show the state of a device.
microphone-on = Mic on
microphone-off = Muted
microphone-none = No mic
camera-on = Camera on
camera-off = Camera off
camera-none = No camera
control-microphone-on = Microphone on. { $device } (M mutes it)
control-microphone-none = No microphone. { $device }
control-camera-none = No camera. { $device }
control-microphone-off = Microphone muted. { $device } (M opens it)
control-camera-on = Camera on. { $device } (V closes it)
control-camera-off = Camera off. { $device } (V opens it)

# Open the menus beside those buttons.
control-sound-devices = Choose microphone and loudspeaker
control-picture-devices = Choose the camera

device-default = System default
device-gone = { $word } (not connected)
device-file = File { $file }
device-test = Test source
device-none = None

# Read out for a device in a menu.
device-spoken = { $kind }: { $name }.
device-spoken-open = { $kind }: { $name }, open.
device-opening = Opening…
device-closed = Closed
tone-play = Play a test tone
tone-playing = Playing…
tone-played = A tone was played to { $name }. If you heard nothing, choose another loudspeaker or look at its volume.
voice-title = My voice
voice-speech = Made for speech
voice-speech-detail = Without echo and noise, equally loud
voice-original = Original sound
voice-original-detail = As the microphone gives it; use headphones
voice-untouched-detail = Files and test sources are sent as they are

# The command line.
cli-no-display = No display: { $reason }. Going on without a window.
cli-no-camera = Camera: { $reason } Using a test picture.
cli-without-camera = Camera: { $reason } Going on without a picture.
cli-without-microphone = Microphone: { $reason } Going on without a voice.
cli-no-microphone = Microphone: { $reason } Using a test voice.
cli-no-speaker = Loudspeaker: { $reason } Going on in silence.
cli-take-over = This credential is in the meeting already, from another place. With --take-over the meeting goes on here.
cli-password = Password for { $file }:
cli-nothing-found = none found.
