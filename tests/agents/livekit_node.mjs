// An agent on livekit-agents for Node: the framework as it is, with silero's voice activity detection, and scripted models.
// AGENTS_HOME is the folder whose node_modules has the framework. Truth goes to the file that TRUTH names, as taps.py does it.
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const installed = createRequire(`${process.env.AGENTS_HOME}/package.json`);
const library = (name) => import(pathToFileURL(installed.resolve(name).replace(/\.cjs$/, '.js')).href);
const agents = await library('@livekit/agents');
const silero = await library('@livekit/agents-plugin-silero');
const { AudioFrame, AudioSource } = await library('@livekit/rtc-node');
const { initializeLogger, llm, stt, tts, voice } = agents;

const RATE = 24_000;
const GREETING = 'Good day, this is the library.';
const REPLY = 'The reading room is open until eight.';
// The turn of the caller in which the model asks for a book first.
const TOOL_TURN = 2;
// Milliseconds: silence before a transcript, first token, between words, first audio, tool, end of turn, a speech.
const [TRANSCRIPT, FIRST_TOKEN, WORD, FIRST_BYTE, TOOL, TURN_END, SPEECH] = [300, 250, 25, 150, 400, 500, 2_500];

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const now = () => (performance.timeOrigin + performance.now()) / 1_000;

// --- what it really heard and sent

const LOUD = 32_768 * 10 ** (-50 / 20);
const PAUSE = 0.25;

function write(what, at) {
  if (process.env.TRUTH) appendFileSync(process.env.TRUTH, `${JSON.stringify({ at, what })}\n`);
}

class Edges {
  constructor(name) {
    this.name = name;
    this.last = undefined;
  }

  // `at` is the moment of the frame's first sample.
  feed(frame, at) {
    const size = frame.sampleRate / 100;
    for (let start = 0; start < frame.samplesPerChannel; start += size) {
      const block = frame.data.subarray(start * frame.channels, (start + size) * frame.channels);
      const began = at + start / frame.sampleRate;
      if (this.last !== undefined && began - this.last > PAUSE) {
        write(`${this.name} ended`, this.last);
        this.last = undefined;
      }
      const power = block.reduce((sum, sample) => sum + sample * sample, 0) / block.length;
      if (Math.sqrt(power) < LOUD) continue;
      if (this.last === undefined) write(`${this.name} began`, began);
      this.last = began + block.length / frame.channels / frame.sampleRate;
    }
  }
}

const captureFrame = AudioSource.prototype.captureFrame;
AudioSource.prototype.captureFrame = function tapped(frame) {
  this.tap ??= new Edges('mouth');
  // What is queued is played before it.
  this.tap.feed(frame, now() + this.queuedDuration / 1_000);
  return captureFrame.call(this, frame);
};

// --- its models

// Loud from the first sample, and never silent.
function* speech() {
  const frame = RATE / 50;
  for (let at = 0; at < (RATE * SPEECH) / 1_000; at += frame) {
    const data = Int16Array.from({ length: frame }, (_, i) => {
      const t = (at + i) / RATE;
      let sum = 0;
      for (let k = 1; k <= 8; k++) sum += Math.cos(2 * Math.PI * 130 * k * t + k) / k;
      return 3_000 * sum * (0.7 + 0.3 * Math.cos(2 * Math.PI * 4 * t));
    });
    yield new AudioFrame(data, RATE, 1, frame);
  }
}

class Recognition extends stt.STT {
  label = 'script.STT';
  constructor() {
    super({ streaming: true, interimResults: true });
  }
  async _recognize() {
    throw new Error('it streams');
  }
  stream() {
    return new RecognitionStream(this);
  }
}

class RecognitionStream extends stt.SpeechStream {
  label = 'script.SpeechStream';
  async run() {
    const edges = new Edges('ear');
    let [speaking, last, turn] = [false, 0, 0];
    for await (const frame of this.input) {
      if (typeof frame === 'symbol') continue;
      edges.feed(frame, now() - frame.samplesPerChannel / frame.sampleRate);
      const power = frame.data.reduce((sum, s) => sum + s * s, 0) / frame.data.length;
      if (Math.sqrt(power) > 250) {
        last = now();
        if (!speaking) this.say(stt.SpeechEventType.INTERIM_TRANSCRIPT, `turn ${turn + 1}`);
        speaking = true;
      } else if (speaking && now() - last > TRANSCRIPT / 1_000) {
        speaking = false;
        turn += 1;
        this.say(stt.SpeechEventType.FINAL_TRANSCRIPT, `turn ${turn}`);
      }
    }
  }
  say(type, text) {
    const alternative = { language: 'en', text, startTime: 0, endTime: 0, confidence: 1 };
    this.queue.put({ type, requestId: 'script', alternatives: [alternative] });
  }
}

class Model extends llm.LLM {
  label() {
    return 'script.LLM';
  }
  chat({ chatCtx, toolCtx, connOptions }) {
    return new ModelStream(this, { chatCtx, toolCtx, connOptions: connOptions ?? agents.DEFAULT_API_CONNECT_OPTIONS });
  }
}

class ModelStream extends llm.LLMStream {
  async run() {
    const { items } = this.chatCtx;
    const turn = items.filter((item) => item.type === 'message' && item.role === 'user').length;
    await sleep(FIRST_TOKEN);
    if (turn === TOOL_TURN && items.at(-1)?.type !== 'function_call_output') {
      const call = llm.FunctionCall.create({ callId: 'call_1', name: 'find_book', args: '{}' });
      this.queue.put({ id: 'script', delta: { role: 'assistant', toolCalls: [call] } });
      return;
    }
    for (const word of REPLY.split(' ')) {
      this.queue.put({ id: 'script', delta: { role: 'assistant', content: `${word} ` } });
      await sleep(WORD);
    }
  }
}

class Synthesis extends tts.TTS {
  label = 'script.TTS';
  constructor() {
    super(RATE, 1, { streaming: true });
  }
  synthesize() {
    throw new Error('it streams');
  }
  stream() {
    return new SynthesisStream(this);
  }
}

class SynthesisStream extends tts.SynthesizeStream {
  label = 'script.SynthesizeStream';
  async run() {
    let text = '';
    for await (const piece of this.input) {
      if (typeof piece === 'string') text += piece;
      if (/[.!?]/.test(text)) break;
    }
    if (text) await this.speak();
    this.queue.put(tts.SynthesizeStream.END_OF_STREAM);
  }
  async speak() {
    await sleep(FIRST_BYTE);
    const frames = [...speech()];
    frames.forEach((frame, n) => {
      this.queue.put({ requestId: 'script', segmentId: 'script', frame, final: n === frames.length - 1 });
    });
  }
}

// --- the agent

class Librarian extends voice.Agent {
  constructor() {
    const execute = async () => {
      await sleep(TOOL);
      return 'third floor';
    };
    const parameters = { type: 'object', properties: {} };
    super({
      instructions: 'You work in a library.',
      tools: { find_book: llm.tool({ description: 'Finds a book on the shelves.', parameters, execute }) },
    });
  }
  async onEnter() {
    this.session.say(GREETING);
  }
}

export default agents.defineAgent({
  prewarm: async (process) => {
    process.userData.vad = await silero.VAD.load();
  },
  entry: async (ctx) => {
    const session = new voice.AgentSession({
      vad: ctx.proc.userData.vad,
      stt: new Recognition(),
      llm: new Model(),
      tts: new Synthesis(),
      turnHandling: {
        turnDetection: 'vad',
        endpointing: { minDelay: TURN_END, maxDelay: 3_000 },
        preemptiveGeneration: { enabled: false },
        interruption: { mode: 'vad' },
      },
    });
    await session.start({ agent: new Librarian(), room: ctx.room });
    await ctx.connect();
  },
});

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  initializeLogger?.({ pretty: false, level: 'info' });
  const agent = fileURLToPath(import.meta.url);
  const options = { agent, agentName: 'field', loadFunc: async () => 0, numIdleProcesses: 1, host: '127.0.0.1', port: 0 };
  agents.cli.runApp(new agents.ServerOptions(options));
}
