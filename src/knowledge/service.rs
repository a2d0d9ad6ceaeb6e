//! The application protocol that a server's port is known for.

/// The words of `timers.tsv`, and the ports that the protocol is usually served at: registered, or its product's default.
const SERVICES: [(&str, &[u16]); 24] = [
    ("http", &[80, 443, 8080, 8443]),
    ("dns", &[53]),
    ("rsync", &[873]),
    ("git", &[9418]),
    ("rdp", &[3389]),
    ("bgp", &[179]),
    ("postgresql", &[5432, 6432]),
    ("fastcgi", &[]),
    ("mysql", &[3306, 33_060]),
    ("sqlserver", &[1433]),
    ("oracle", &[1521]),
    ("mongodb", &[27_017]),
    ("redis", &[6379]),
    ("memcached", &[11_211]),
    ("ssh", &[22]),
    ("ftp", &[20, 21, 990]),
    ("smtp", &[25, 465, 587]),
    ("pop3", &[110, 995]),
    ("imap", &[143, 993]),
    ("ldap", &[389, 636]),
    ("mqtt", &[1883, 8883]),
    ("amqp", &[5671, 5672]),
    ("kafka", &[9092]),
    ("smb", &[139, 445]),
];

/// The protocol that this port of a server is known for. A port proves nothing; it rules out what nobody serves there.
#[must_use]
pub(crate) fn service(port: u16) -> Option<&'static str> {
    let found = SERVICES.iter().find(|(_, ports)| ports.contains(&port));
    found.map(|(name, _)| *name)
}

/// The protocol that this port is known for, if its servers speak first: they greet whoever calls. Ports on which TLS is
/// spoken at once are not among them.
#[must_use]
pub(crate) fn greeting_service(port: u16) -> Option<&'static str> {
    const GREET: [&str; 6] = ["mysql", "ssh", "ftp", "smtp", "pop3", "imap"];
    const TLS: [u16; 4] = [465, 990, 993, 995];
    const OTHERS: [u16; 2] = [20, 33_060];
    let name = service(port).filter(|_| !TLS.contains(&port) && !OTHERS.contains(&port))?;
    GREET.contains(&name).then_some(name)
}

/// Whether a protocol has this name.
#[cfg(test)]
pub(crate) fn is_service(name: &str) -> bool {
    SERVICES.iter().any(|(service, _)| *service == name)
}

/// The names for people of the protocols other than HTTP that have texts.
const NAMES: [(&str, &str); 23] = [
    ("amqp", "AMQP"),
    ("bgp", "BGP"),
    ("dns", "DNS"),
    ("fastcgi", "FastCGI"),
    ("ftp", "FTP"),
    ("git", "git"),
    ("imap", "IMAP"),
    ("kafka", "Kafka"),
    ("ldap", "LDAP"),
    ("memcached", "memcached"),
    ("mongodb", "MongoDB"),
    ("mqtt", "MQTT"),
    ("mysql", "MySQL"),
    ("oracle", "Oracle Net"),
    ("pop3", "POP3"),
    ("postgresql", "PostgreSQL"),
    ("rdp", "RDP"),
    ("redis", "Redis"),
    ("rsync", "rsync"),
    ("smb", "SMB"),
    ("smtp", "SMTP"),
    ("sqlserver", "TDS (SQL Server)"),
    ("ssh", "SSH"),
];

/// The name for people of a protocol other than HTTP; `None` for HTTP and what is not known.
#[must_use]
pub(crate) fn service_name(word: &str) -> Option<&'static str> {
    let found = NAMES.iter().find(|(service, _)| *service == word);
    found.map(|(_, name)| *name)
}

/// The ports that a protocol is usually served at, by its word or its name for people; none for what is not known.
#[must_use]
pub(crate) fn usual_ports(protocol: &str) -> &'static [u16] {
    let word = NAMES.iter().find(|(_, name)| *name == protocol);
    let word = word.map_or(protocol, |(word, _)| word);
    let found = SERVICES.iter().find(|(service, _)| *service == word);
    found.map_or(&[], |(_, ports)| ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_known_for_one_protocol() {
        assert_eq!(service(5432), Some("postgresql"));
        assert_eq!(service(443), Some("http"));
        assert_eq!(service(9000), None);
        let mut ports: Vec<_> = SERVICES.iter().flat_map(|(_, ports)| *ports).collect();
        let all = ports.len();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), all);
    }
}
