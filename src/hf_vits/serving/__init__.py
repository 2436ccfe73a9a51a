"""
Serve voices to other programs: a pool of voices, a fair queue, and an HTTP server with OpenAI's interface.

A server of any protocol is made of two parts that know nothing of it: [`VoicePool`] holds voices by name and speaks a
[`SpeechRequest`] as an iterator of chunks, and [`Scheduler`] advances many such iterators by turns in its own threads.

Example:

```python
>>> from hf_vits.serving import Scheduler, SpeechRequest, VoicePool

>>> pool = VoicePool({"joe": "default"})
>>> with Scheduler() as scheduler:
...     job = scheduler.submit(lambda: pool.speak(SpeechRequest("Hello there.", voice="joe", seed=1)))
...     chunks = [chunk["audio"] for chunk in job]
```
"""

from hf_vits.utils.lazy_imports import lazy_attributes

__all__ = [
    "QueueFullError",
    "Scheduler",
    "SchedulerClosedError",
    "SpeechRequest",
    "UnknownVoiceError",
    "VoicePool",
    "VoiceUnavailableError",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "QueueFullError": "scheduling",
        "Scheduler": "scheduling",
        "SchedulerClosedError": "scheduling",
        "SpeechRequest": "voice_pool",
        "UnknownVoiceError": "voice_pool",
        "VoicePool": "voice_pool",
        "VoiceUnavailableError": "voice_pool",
    },
)
