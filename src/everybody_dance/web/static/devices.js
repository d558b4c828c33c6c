// The cameras of the device on which the page is open. Both pages use them, each with its own sentences.

// Why there is no picture: `why` is "cameraInsecure", "cameraRefused", "cameraBusy" or "cameraMissing", a key of TEXTS.
export class NoCamera extends Error {
  constructor(why) {
    super(why);
    this.why = why;
  }
}

// A stream of pictures without sound. size: constraints; deviceId: one of the cameras, or else the one that faces the user.
export async function openCamera(size, deviceId = null) {
  if (!navigator.mediaDevices) throw new NoCamera("cameraInsecure");
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...size, ...which } });
  } catch (error) {
    throw new NoCamera({ NotAllowedError: "cameraRefused", NotReadableError: "cameraBusy" }[error.name] ?? "cameraMissing");
  }
}

export function closeCamera(stream) {
  for (const track of stream.getTracks()) track.stop();
}

export async function cameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput");
}

export const settingsOf = (stream) => stream.getVideoTracks()[0].getSettings();
