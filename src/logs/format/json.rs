//! Lines that are JSON objects, by the names of their fields: those of nginx' variables, Caddy, Traefik, Envoy, ECS, Google
//! Cloud, zap, zerolog, pino, bunyan, logrus, Serilog, logstash. A name counts by its last part: `request.remote_ip`.

use std::time::Duration;

use serde_json::Value;

use super::apache_error::peers;
use super::common_log::peer;
use crate::knowledge::{address_at, is_about_upstream};
use crate::logs::line::{Calendar, LineKind, LogLine, LogMoment};

/// Objects inside objects that are looked through.
const DEPTH: u8 = 3;

pub(super) fn read(line: &str, calendar: Calendar) -> Option<LogLine> {
    let line = line.trim();
    let Value::Object(object) = serde_json::from_str(line.get(line.find('{')?..)?).ok()? else {
        return None;
    };
    let mut found = Found::default();
    for (name, value) in &object {
        found.take(name, value, calendar, DEPTH);
    }
    let mut read = found.line;
    if read.method.is_none()
        && let Some(request) = &found.request
    {
        read.set_request(request);
    }
    let access = read.method.is_some() && read.status.is_some();
    if access {
        read.kind = LineKind::Access;
    }
    let text = found.message.unwrap_or_default();
    let text = match (found.error, text.is_empty()) {
        (Some(error), false) if !text.contains(&error) => format!("{text}: {error}"),
        (Some(error), true) => error,
        _ => text,
    };
    if !text.is_empty() {
        read.of_upstream = is_about_upstream(&text).filter(|_| !access);
        read.named = peers(&text);
        read.message = Some(text.into());
    }
    (read.time.is_some() || read.method.is_some()).then_some(read)
}

#[derive(Default)]
struct Found {
    line: LogLine,
    request: Option<String>,
    message: Option<String>,
    error: Option<String>,
}

impl Found {
    fn take(&mut self, name: &str, value: &Value, calendar: Calendar, depth: u8) {
        if let Value::Object(inner) = value {
            for (name, value) in inner.iter().filter(|_| depth > 0) {
                self.take(name, value, calendar, depth - 1);
            }
            return;
        }
        let own = name.rsplit(['.', '/']).next().unwrap_or(name);
        let lower: String = own
            .chars()
            .filter(|it| it.is_ascii_alphanumeric())
            .map(|it| it.to_ascii_lowercase())
            .collect();
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Array(list) => match list.first() {
                Some(Value::String(text)) => text.clone(),
                _ => return,
            },
            _ => return,
        };
        self.request_field(&lower, &text);
        self.response_field(&lower, &text);
        self.event_field(&lower, text, calendar);
    }

    fn request_field(&mut self, name: &str, text: &str) {
        let line = &mut self.line;
        match name {
            "remoteaddr"
            | "clientip"
            | "remoteip"
            | "clientaddr"
            | "clienthost"
            | "downstreamremoteaddress"
            | "remotehost"
            | "cip"
            | "sourceip"
            | "peer"
            | "peeraddr" => {
                if let Some((ip, port, _)) = address_at(text)
                    && line.client.is_none()
                {
                    line.client = Some(ip);
                    line.client_port = port.or(line.client_port);
                }
            }
            "remoteport" | "clientport" | "cport" => {
                line.client_port = text.parse().ok().or(line.client_port);
            }
            "serveraddr" | "localaddr" => line.local = address_at(text).map(|(ip, ..)| ip),
            "serverport" | "localport" => line.local_port = text.parse().ok(),
            "method" | "requestmethod" | "verb" | "httpmethod" => line.method = Some(text.into()),
            "uri" | "requesturi" | "path" | "url" | "requesturl" | "originalurl"
            | "requestpath" | "target" | "httptarget" => {
                // A path without its query is the less exact one.
                let longer = line.target.as_ref().is_none_or(|it| it.len() < text.len());
                if longer {
                    line.target = Some(text.into());
                }
                line.loose_target |= name == "path" || name == "requestpath";
            }
            "request" | "requestline" => self.request = Some(text.to_owned()),
            "useragent" | "httpuseragent" | "requestuseragent" | "agent" => {
                line.agent = Some(text.into());
            }
            "upstreamaddr" | "upstreamhost" | "serviceaddr" | "backendaddr" => {
                let last = text.rsplit([',', ' ']).next().unwrap_or(text);
                line.upstream = peer(last);
            }
            _ => {}
        }
    }

    fn response_field(&mut self, name: &str, text: &str) {
        let line = &mut self.line;
        match name {
            "status" | "statuscode" | "responsecode" | "httpstatus" | "downstreamstatus"
            | "code" | "httpstatuscode" | "scstatus" => {
                let status = text.parse::<u16>().ok();
                line.status = status.filter(|it| *it < 1000).or(line.status);
            }
            "bodybytessent"
            | "bytessent"
            | "responsesize"
            | "downstreamcontentsize"
            | "size"
            | "responsebytes"
            | "bodybytes"
            | "scbytes" => line.bytes = text.parse().ok(),
            "requesttime" | "durationseconds" | "responsetime" | "elapsedseconds" => {
                let number = text.parse::<f64>().ok();
                line.duration = number.and_then(|it| Duration::try_from_secs_f64(it).ok());
            }
            "durationms" | "latencyms" | "elapsedms" | "responsetimems" => {
                let number = text.parse::<f64>().ok().map(|it| it / 1000.0);
                line.duration = number.and_then(|it| Duration::try_from_secs_f64(it).ok());
            }
            "responseflags" | "terminationstate" | "responsecodedetails" => {
                line.ending = (text != "-").then(|| text.into());
            }
            _ => {}
        }
    }

    fn event_field(&mut self, name: &str, text: String, calendar: Calendar) {
        let line = &mut self.line;
        match name {
            "time" | "ts" | "timestamp" | "timeiso8601" | "msec" | "timelocal" | "starttime"
            | "t" | "datetime" | "date" | "startutc" | "receivetimestamp" => {
                let read = calendar.time_at(&text).map(|(it, _)| it);
                let exact = |it: &LogMoment| (it.zoned, -it.precision);
                if read.as_ref().map(exact) > line.time.as_ref().map(exact) {
                    line.time = read;
                }
            }
            "level" | "severity" | "lvl" | "loglevel" => line.level = Some(text.into()),
            "msg" | "message" | "log" | "mt" => self.message = Some(text),
            "error" | "err" | "exception" | "errormessage" | "x" => self.error = Some(text),
            _ => {}
        }
    }
}
