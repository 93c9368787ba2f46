"""Many processes on two stores: who ticks, when an arrival may be counted, where tables lie."""
