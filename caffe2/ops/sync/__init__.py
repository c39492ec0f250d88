"""State that operators share: counters, mutexes, atomic values, timers and statistics."""
