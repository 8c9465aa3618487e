//! Connecting, in the three ways.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline,
    RedisConnectionInfo, RedisFuture, RedisResult, TlsMode, Value,
};
use tokio::sync::Mutex;

use crate::address::ServerAddress;
use crate::config::{RedisConfig, Servers};

/// What connections are made from.
pub(crate) enum Source {
    Single(Box<Client>),
    /// Asks one Sentinel after the other, and remembers its connections to them.
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>),
}

/// A connection for many calls at once. A clone is the same connection.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Source {
    /// `longest`: what the server may take for an answer.
    pub(crate) fn new(config: &RedisConfig, longest: Duration) -> RedisResult<Self> {
        let address = |address: &ServerAddress| address_of(address, config.tls);
        let tls = config.tls.then_some(TlsMode::Secure);
        Ok(match &config.servers {
            Servers::Single(server) => Self::Single(Box::new(Client::open(info(config, address(server))?)?)),
            Servers::Sentinel { service, sentinels, password } => {
                let sentinels = sentinels.iter().map(address);
                let mut builder = SentinelClientBuilder::new(sentinels, service, SentinelServerType::Master)?
                    .set_client_to_redis_db(config.database.into());
                if let Some(user) = &config.user {
                    builder = builder.set_client_to_redis_username(user);
                }
                if let Some(password) = &config.password {
                    builder = builder.set_client_to_redis_password(&password.0);
                }
                if let Some(password) = password {
                    builder = builder.set_client_to_sentinel_password(&password.0);
                }
                if let Some(mode) = tls {
                    builder =
                        builder.set_client_to_redis_tls_mode(mode).set_client_to_sentinel_tls_mode(mode);
                }
                Self::Sentinel(Box::new(Mutex::new(builder.build()?)))
            }
            Servers::Cluster(members) => {
                let members = members.iter().map(|member| info(config, address(member)));
                let builder = ClusterClient::builder(members.collect::<RedisResult<Vec<_>>>()?)
                    .connection_timeout(config.deadline)
                    .response_timeout(longest);
                Self::Cluster(Box::new(match tls {
                    Some(mode) => builder.tls(mode).build()?,
                    None => builder.build()?,
                }))
            }
        })
    }

    pub(crate) async fn connect(&self) -> RedisResult<Connection> {
        // The caller has the deadline, and it is the same for all that is done in it.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Ok(match self {
            Self::Single(client) => {
                Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Self::Sentinel(client) => {
                Connection::Server(client.lock().await.get_async_connection_with_config(&config).await?)
            }
            Self::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        })
    }
}

fn address_of(address: &ServerAddress, tls: bool) -> ConnectionAddr {
    let ServerAddress { host, port } = address.clone();
    if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn info(config: &RedisConfig, address: ConnectionAddr) -> RedisResult<ConnectionInfo> {
    let mut login = RedisConnectionInfo::default().set_db(config.database.into());
    if let Some(user) = &config.user {
        login = login.set_username(user);
    }
    if let Some(password) = &config.password {
        login = login.set_password(&password.0);
    }
    Ok(address.into_connection_info()?.set_redis_settings(login))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
