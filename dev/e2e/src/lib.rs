//! Black-box tests on real processes.
