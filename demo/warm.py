"""Work that happens once in a process, done before its first call instead of during it.

Imported in the fork server, so that the job processes inherit the result. Each line was found by
watching the event loop of a cold process: together they held up a first greeting by some 70 ms.
"""

import livekit.agents.llm.async_toolset  # noqa: F401  imported when a session starts
import livekit.agents.voice.report  # noqa: F401  imported when a session ends
import numpy.fft  # noqa: F401  imported by the first access to it
from livekit.agents.tokenize.basic import hyphenate_word

from tts import voice

# builds its pattern tree for the first word of the first transcript
hyphenate_word("warm")
# computes the second of sound that every reply is cut from
voice(0, 1)
