#!/bin/sh
# Makes the clips again, in this folder, and the table of README.md with them. Needs espeak-ng (1.51
# made the committed ones; another version may speak a little differently) and python3 for the cough.
set -eu
cd "$(dirname "$0")"

# name | voice | words per minute | text, in which a tag is SSML
clips='
hours|en-us|165|What are your opening hours?
booking|en-us+f3|165|I would like to book a table for two, tomorrow at seven.
price|en-gb|160|How much does it cost, and is breakfast included?
order|en-us|170|My order number is <break time="700ms"/> four, two, seven, nine.
wait|en-us+f3|175|Wait, one more thing.
stop|en-gb|180|Stop, please.
mhm|en-us|150|Uh-huh.
thanks|en-gb|165|Thank you very much, goodbye!
'

rows=$(printf '%s' "$clips" | while IFS='|' read -r name voice speed text; do
    [ -n "$name" ] || continue
    espeak-ng -m -v "$voice" -s "$speed" -w "$name.wav" "$text"
    printf "| \`%s.wav\` | %s | \`espeak-ng -m -v %s -s %s -w %s.wav '%s'\` | \`%s\` |\n" \
        "$name" "$(printf '%s' "$text" | sed 's/ <[^>]*>//g')" "$voice" "$speed" "$name" "$text" "$(sha256sum "$name.wav" | cut -d' ' -f1)"
done)

# A cough: two bursts of filtered noise that die away, from a generator with a fixed seed.
python3 - <<'PY'
import math, random, struct, wave

RATE = 22050
noise = random.Random(2)
samples = []
for begin, length, peak in ((0.10, 0.22, 0.5), (0.42, 0.30, 0.4)):
    samples += [0.0] * (int(begin * RATE) - len(samples))
    low = band = 0.0
    for i in range(int(length * RATE)):
        t = i / RATE
        low += 0.25 * (noise.uniform(-1, 1) - low)
        band += 0.05 * (low - band)
        samples.append(peak * 2.5 * (low - band) * min(1, t / 0.008) * math.exp(-t / 0.07))
samples += [0.0] * int(0.2 * RATE)
with wave.open("cough.wav", "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(RATE)
    out.writeframes(b"".join(struct.pack("<h", round(32767 * max(-1, min(1, s)))) for s in samples))
PY
cough=$(printf '| `cough.wav` | (a cough) | the Python part of `make.sh` | `%s` |' "$(sha256sum cough.wav | cut -d' ' -f1)")

{
    sed '/^<!-- table/q' README.md
    printf '| clip | says | made with | SHA-256 |\n|---|---|---|---|\n%s\n%s\n' "$rows" "$cough"
} > README.new
mv README.new README.md
