//! Async FastDFS client: pooled, fails over between trackers, retries what is safe.
