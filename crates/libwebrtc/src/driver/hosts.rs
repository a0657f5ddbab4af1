//! The addresses of this machine that others can reach a socket by.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use super::socket::Socket;

/// One of IPv4, and one of IPv6 if there is any: of the interface that the default route leaves by, or loopback when
/// there is no route.
pub(super) fn find(socket: &Socket) -> io::Result<Vec<SocketAddr>> {
    let port = socket.port()?;
    let v6 = if socket.has_v6() { default_v6() } else { None };
    let all = [Some(default_v4().into()), v6.map(IpAddr::V6)];
    Ok(all.into_iter().flatten().map(|ip| SocketAddr::new(ip, port)).collect())
}

fn default_v4() -> Ipv4Addr {
    // The addresses sent to here and below are of ranges for documentation.
    match source(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()) {
        Ok(IpAddr::V4(address)) => address,
        Ok(IpAddr::V6(_)) | Err(_) => Ipv4Addr::LOCALHOST,
    }
}

fn default_v6() -> Option<Ipv6Addr> {
    let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    match source(Ipv6Addr::UNSPECIFIED.into(), documentation.into()) {
        Ok(IpAddr::V6(address)) if !address.is_unicast_link_local() => Some(address),
        Ok(_) | Err(_) => {
            UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).ok().map(|_| Ipv6Addr::LOCALHOST)
        }
    }
}

/// The address that datagrams to `destination` come from. Connecting a UDP socket sends nothing, it only chooses a
/// route.
fn source(any: IpAddr, destination: IpAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((destination, 9))?;
    Ok(socket.local_addr()?.ip())
}
