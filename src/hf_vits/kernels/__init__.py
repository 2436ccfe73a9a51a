"""Fast paths for CPUs. Each computes what a plain module computes, with fewer operations or less memory traffic."""
