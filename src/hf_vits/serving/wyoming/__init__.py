"""
Serve voices by the Wyoming protocol of Home Assistant. Needs the extra `wyoming`.

Example:

```python
>>> from hf_vits.serving import Scheduler, VoicePool
>>> from hf_vits.serving.wyoming import WyomingServer

>>> with Scheduler() as scheduler:
...     server = WyomingServer(VoicePool({"joe": "default"}), scheduler, pause=0.2)
...     asyncio.run(server.serve("tcp://127.0.0.1:10200"))  # until a signal ends it  # doctest: +SKIP
```
"""

from hf_vits.utils.lazy_imports import lazy_attributes

__all__ = ["WyomingServer", "describe"]
__getattr__ = lazy_attributes(__name__, {"WyomingServer": "server", "describe": "information"})
