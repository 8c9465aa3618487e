//! FastDFS wire codec: header, opcode registry, one module per command.
