"""State that operators share: counters, mutexes, atomic values, timers and statistics.

counter: as CreateCounter makes it.
atomic_bool: as CreateAtomicBool makes it.
mutex_ptr: as CreateMutex makes it.
timer: as TimerBegin makes it.
handle: a registry of statistics, as StatRegistryCreate makes it; that of the process unless given.
keys: (N), strings: names.
values: (N), int64.
timestamps: (N), int64: times of reading, in nanoseconds.
done: bool, of no dimensions.
init_count: the count to start from.
bound: numbers that int64 cannot hold are cut to what it can, and nan counts as 0.
value: one number.
"""
