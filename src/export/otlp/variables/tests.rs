//! The standard variables, and what is wrong with them.

use super::*;
use proptest::prelude::*;

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

fn read(variables: &[(&str, &str)]) -> Result<Option<Backend>, VariableError> {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
    from_variables(|name| value(name).map(|(_, value)| (*value).to_owned()))
}

/// The backend of an endpoint and more variables.
fn with(more: &[(&str, &str)]) -> Result<Backend, VariableError> {
    let all: Vec<_> = more.iter().copied().chain([ENDPOINT]).collect();
    Ok(read(&all)?.expect("an endpoint is set"))
}

#[test]
fn an_endpoint_switches_it_on() {
    assert!(read(&[]).unwrap().is_none());
    assert!(read(&[("OTEL_EXPORTER_OTLP_HEADERS", "a=b")]).unwrap().is_none());
    for off in [
        ("OTEL_SDK_DISABLED", "True"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_EXPORTER", "console"),
    ] {
        assert!(read(&[ENDPOINT, off]).unwrap().is_none(), "{off:?}");
    }
    assert!(read(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "console, otlp")]).unwrap().is_some());
    assert!(read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "false")]).unwrap().is_some());
}

#[test]
fn the_path_is_added_to_an_endpoint_of_all_signals_alone() {
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318", "http://h:4318/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318/", "http://h:4318/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", " https://h/otlp/ ", "https://h/otlp/v1/traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://h/mine", "https://h/mine"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://h:4318", "http://h:4318/"),
    ] {
        let backend = read(&[(name, value)]).unwrap().unwrap();
        assert_eq!(backend.endpoint.as_str(), expected, "{name}={value}");
        assert_eq!(backend.place.endpoint, expected);
    }
    // What is said for traces goes before.
    let both = [ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces/")];
    assert_eq!(read(&both).unwrap().unwrap().endpoint.as_str(), "http://traces/");
}

#[test]
fn what_is_not_set_is_as_usual() {
    let backend = with(&[]).unwrap();
    assert_eq!((backend.encoding, backend.gzip), (Encoding::Protobuf, true));
    assert_eq!(backend.timeout, Duration::from_secs(10));
    assert!(backend.headers.is_empty() && backend.hidden.is_empty());
    let version = ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    assert_eq!(backend.resource, [("service.name".to_owned(), "loadcall".to_owned()), version]);
}

#[test]
fn headers_are_decoded_and_secret() {
    let set = ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20aHVudGVyMg==, x-scope = 7 ,");
    let backend = with(&[set]).unwrap();
    assert_eq!(backend.headers["authorization"], "Basic aHVudGVyMg==");
    assert_eq!(backend.headers["x-scope"], "7");
    let hidden: Vec<&str> = backend.hidden.iter().map(Secret::expose).collect();
    assert_eq!(hidden, ["Basic aHVudGVyMg==", "aHVudGVyMg=="]);
    assert!(!format!("{backend:?}").contains("aHVudGVyMg"));
    // Those for traces stand in their place.
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=k");
    let headers = with(&[set, traces]).unwrap().headers;
    assert!(headers.len() == 1 && headers["api-key"] == "k");
}

#[test]
fn a_resource_is_loadcalls_with_what_is_said() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=voice%2Cqa,rate=50%");
    let resource = with(&[attributes]).unwrap().resource;
    let value = |key: &str| {
        let found: Vec<&str> =
            resource.iter().filter(|(k, _)| k == key).map(|(_, value)| value.as_str()).collect();
        found
    };
    assert_eq!((value("service.name"), value("team")), (vec!["a"], vec!["voice,qa"]));
    assert_eq!(value("rate"), ["50%"]);
    let both = with(&[attributes, ("OTEL_SERVICE_NAME", "b")]).unwrap().resource;
    assert!(both.contains(&("service.name".to_owned(), "b".to_owned())));
}

#[test]
fn certificates_that_would_not_be_used_are_refused_where_there_is_tls() {
    let tls = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318");
    for (name, hint) in [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "SSL_CERT_FILE"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_TRACES_EXPORTER=none"),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_TRACES_EXPORTER=none"),
    ] {
        let error = read(&[tls, (name, "/etc/hunter2.pem")]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(hint), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert!(read(&[ENDPOINT, (name, "/etc/ca.pem")]).unwrap().is_some());
        let off = ("OTEL_TRACES_EXPORTER", "none");
        assert!(read(&[tls, off, (name, "/etc/ca.pem")]).unwrap().is_none());
    }
}

#[test]
fn an_endpoint_is_known_where_traces_are_switched_off() {
    let set = [ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")];
    let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    assert!(from_variables(variable).unwrap().is_none());
    assert!(named_by(variable).unwrap().is_some());
    assert!(named_by(|_| None).unwrap().is_none());
}

#[test]
fn what_cannot_be_used_is_named_with_what_to_write_and_without_what_is_secret() {
    for (name, value, hint) in [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318", "http://localhost:4318/v1/traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "hunter2", "http://localhost:4318/v1/traces"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://me:hunter2@h/",
            "OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://h/?key=hunter2",
            "OTEL_EXPORTER_OTLP_HEADERS",
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/xml", "http/protobuf or http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,hunter2", "entry 2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=hunter2", "name of a header"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2%0A", "no header can have"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=%FFhunter2", "UTF-8"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Content-Type=hunter2", "sets itself"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b,,c", "entry 3"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=hunter2", "no name"),
    ] {
        let error = with(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(hint), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let long = format!("a={}", "x".repeat(20_000));
    let error = with(&[("OTEL_RESOURCE_ATTRIBUTES", &long)]).unwrap_err();
    assert_eq!(error, VariableError::ResourceTooLong);
}

proptest! {
    #[test]
    fn any_value_comes_through_as_it_was(value in "\\PC{0,30}") {
        let encoded = value.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        prop_assert_eq!(decoded(&encoded).unwrap(), value);
    }

    #[test]
    fn nothing_makes_it_panic(text in "[a=,% 0F\u{e9}]{0,30}") {
        let _ = with(&[("OTEL_EXPORTER_OTLP_HEADERS", &text)]);
        let _ = with(&[("OTEL_RESOURCE_ATTRIBUTES", &text)]);
        let _ = with(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &text)]);
    }
}
