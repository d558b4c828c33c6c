// This device's camera, sent to the program: a frame, then the next one when the program has taken it.

import { socketAddress } from "./connection.js";
import { cameras, closeCamera, openCamera, settingsOf } from "./devices.js";
import { TEXTS } from "./texts.js";

const LONGEST = 1280; // pixels
const QUALITY = 0.85;
const ELSEWHERE = 4001;
const SERVER_ENDED = [1001, 1012];
const PAUSE = 1000; // ms before a lost connection is tried again

export class OwnCamera {
  // on.change(running), on.error(text)
  constructor(on) {
    this.on = on;
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    this.canvas = document.createElement("canvas");
    this.running = false;
    this.wishes = 0; // to start or to stop: the last one counts, whatever the browser answers earlier ones
  }

  async start(deviceId) {
    this.stop();
    const wish = this.wishes;
    let stream;
    try {
      stream = await openCamera({ width: { ideal: 1280 }, height: { ideal: 720 } }, deviceId);
    } catch (error) {
      if (wish === this.wishes) this.on.error(TEXTS[error.why]);
      return;
    }
    if (wish !== this.wishes) {
      closeCamera(stream);
      return;
    }
    this.stream = stream;
    this.running = true;
    this.stream.getVideoTracks()[0].onended = () => this.stop();
    this.video.srcObject = this.stream;
    await this.video.play().catch(() => {}); // it was stopped
    if (wish !== this.wishes) return;
    this.connect();
    this.on.change(true);
  }

  stop() {
    this.wishes += 1;
    if (!this.running) return;
    this.running = false;
    clearTimeout(this.waiting);
    this.socket?.close();
    closeCamera(this.stream);
    this.video.srcObject = null;
    this.on.change(false);
  }

  devices() {
    return cameras();
  }

  get deviceId() {
    return this.stream && settingsOf(this.stream).deviceId;
  }

  connect() {
    const socket = new WebSocket(socketAddress("/camera"));
    socket.onopen = () => this.frame();
    socket.onmessage = (event) => {
      const { error } = JSON.parse(event.data);
      if (error) this.on.error(error.message);
      this.frame();
    };
    socket.onclose = (event) => {
      if (socket !== this.socket || !this.running) return;
      if (event.code === ELSEWHERE || SERVER_ENDED.includes(event.code)) {
        this.stop();
        if (event.code === ELSEWHERE) this.on.error(TEXTS.cameraElsewhere);
      } else {
        this.waiting = setTimeout(() => this.connect(), PAUSE);
      }
    };
    this.socket = socket;
  }

  // Sends the camera's next frame, as soon as there is one.
  frame() {
    const socket = this.socket;
    const send = () => {
      if (!this.running || socket !== this.socket) return;
      const { videoWidth, videoHeight } = this.video;
      const scale = Math.min(1, LONGEST / Math.max(videoWidth, videoHeight));
      this.canvas.width = Math.round(videoWidth * scale);
      this.canvas.height = Math.round(videoHeight * scale);
      this.canvas.getContext("2d").drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
      this.canvas.toBlob((blob) => {
        if (blob && socket.readyState === WebSocket.OPEN) socket.send(blob);
      }, "image/jpeg", QUALITY);
    };
    if (this.video.requestVideoFrameCallback && !document.hidden) this.video.requestVideoFrameCallback(send);
    else setTimeout(send, 33);
  }
}
