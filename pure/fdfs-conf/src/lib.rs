//! Configuration: the FastDFS INI grammar, the key registry, typed and checked configurations.
