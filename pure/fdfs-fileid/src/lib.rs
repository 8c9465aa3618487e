//! FastDFS file ids: parse, build, slave names, anti-steal token.
