//! Test kit: spawns real servers on free loopback addresses, reads recorded traffic, scans logs.
//!
//! It drives the built `cairn` program from outside and will never know its code: what it needs of the wire
//! protocol (two requests to see that a server is ready) it spells out itself. Everything it starts dies with the value
//! that stands for it, and everything it writes lies in a temporary folder.
//!
//! Begin reading at [`cluster::Cluster`].

pub mod address;
pub mod binary;
pub mod browser;
pub mod cluster;
pub mod conf;
pub mod dist;
pub mod drive;
pub mod fixtures;
pub mod folder;
pub mod logs;
pub mod mariadb;
pub mod memory;
pub mod nats;
pub mod nginx;
pub mod open_metrics;
pub mod probe;
pub mod process;
pub mod prometheus;
pub mod python;
pub mod redis;
pub mod seaweed;
pub mod up;
pub mod wait;
pub mod zabbix;
