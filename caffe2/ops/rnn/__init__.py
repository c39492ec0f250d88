"""Recurrent networks: cells, and nets that run once for every time step.

Sizes: T steps, N sequences in a batch, D or H elements of a state.

sequence_lengths: whether there is an input seq_lengths.
timestep: the step, (1).
drop_states: a sequence that has ended gets states of zero, instead of keeping its last ones.
forget_bias: is added to the forget gate before its activation.
"""
