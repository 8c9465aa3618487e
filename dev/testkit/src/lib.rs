//! Test kit: spawns real servers on free loopback ports, reads recorded traffic, scans logs.
