//! What every server process needs: pid file, daemonising, signals, logs.
