//! Headers of each platform, and what is made of them.

use super::*;
use crate::services::csv_rows::CsvRows;

fn rows(text: &str) -> Vec<Row> {
    let (mut csv, mut rows) = (CsvRows::default(), Vec::new());
    csv.push(text.as_bytes(), &mut |row| rows.push(row)).unwrap();
    csv.finish(&mut |row| rows.push(row)).unwrap();
    rows
}

fn read(format: &Format, text: &str) -> (Layout, Vec<Result<Values, CellError>>) {
    let rows = rows(text);
    let layout = Layout::of(format, &rows[0]).unwrap();
    let values = rows[1..].iter().map(|row| layout.read(row)).collect();
    (layout, values)
}

fn refused(format: &Format, text: &str) -> (String, String) {
    match Layout::of(format, &rows(text)[0]) {
        Err(ServiceError::Invalid(fields)) => (fields[0].field.clone(), fields[0].message.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_export_is_recognised_by_its_header() {
    for (header, format) in [
        ("ID,First Name,Last Name,Email,Token,State,Campaign,Created At", "rewardful"),
        ("Imported ID,First Name,Last Name,Email,PayPal Email,Wise Email,Token", "rewardful"),
        ("stripe_customer_id;first_name;last_name;email;token", "rewardful"),
        ("id,email,cust_id,default_ref_id,status,first_name,last_name,created_at", "firstpromoter"),
        ("Email,Name,Cust ref,Campaign,State,Joined at", "firstpromoter"),
        ("Name,Email,Ref ID,State,Website,Joined at", "firstpromoter"),
        ("id,firstname,lastname,email,company,referral_code,approved,created_at", "tapfiliate"),
        ("partner_first,partner_last,partner_email,partner_key,partner_group,partner_joined_date", "partnerstack"),
        ("ID,Name,Email,Country,Status,Enrolled at,Payouts enabled at", "dub"),
        ("first_name,last_name,email,company_name,country_code,payout_method,status,link_value", "tolt"),
    ] {
        let (layout, _) = read(&Format::Auto, &format!("{header}\n"));
        assert_eq!(layout.format, format, "{header}");
    }
}

#[test]
fn a_header_that_no_export_has_is_named_back() {
    let (field, message) = refused(&Format::Auto, "E-Mail,Vorname,Nachname\n");
    assert_eq!(field, "file");
    assert!(message.contains("E-Mail, Vorname, Nachname") && message.contains("rewardful") && message.contains("mapping"), "{message}");
    let (field, message) = refused(&Format::parse(Some("rewardful"), None).unwrap(), "Name,Phone\n");
    assert_eq!(field, "file");
    assert!(message.contains("Name, Phone"), "{message}");
}

#[test]
fn values_come_from_the_columns_they_stand_in() {
    let text = "Email,First Name,Last Name,Token,State,Company,Coupon,Created At,PayPal Email\n\
        jane@example.com,Jane,Doe,jane-doe,active,Acme,JANE10,2025-01-01,pay@example.com\n\
        old@example.com,,,https://x.example/?via=old,disabled,,,soon,\n\
        none@example.com,,,,,,,,\n\
        odd@example.com,,,,asleep,,,,\n";
    let (layout, values) = read(&Format::Auto, text);
    assert_eq!(layout.ignored(), ["PayPal Email"]);
    assert_eq!(layout.column(Field::Slug), "Token");
    let jane = Values {
        email: Some("jane@example.com".into()),
        first: Some("Jane".into()),
        last: Some("Doe".into()),
        company: Some("Acme".into()),
        slug: Some("jane-doe".into()),
        coupon: Some("JANE10".into()),
        status: Some(AffiliateStatus::Approved),
        joined: Some(1_735_689_600_000),
        ..Values::default()
    };
    assert_eq!(values[0], Ok(jane));
    let old = values[1].as_ref().unwrap();
    assert_eq!((old.slug.as_deref(), old.status, old.joined), (Some("old"), Some(AffiliateStatus::Paused), None));
    assert_eq!(values[2].as_ref().unwrap().status, Some(AffiliateStatus::Pending));
    assert_eq!(values[3].as_ref().unwrap_err().field, Field::Status);
}

#[test]
fn a_file_without_states_says_nothing_about_them() {
    let (_, values) = read(&Format::Auto, "Email,Token\na@example.com,aaa\n");
    assert_eq!(values[0].as_ref().unwrap().status, None);
}

#[test]
fn the_second_best_column_fills_a_blank() {
    let (_, values) = read(&Format::Auto, "Email,cust_ref,ref_id\na@example.com,one,\nb@example.com,one,two\n");
    let slugs: Vec<_> = values.iter().map(|v| v.as_ref().unwrap().slug.clone().unwrap()).collect();
    assert_eq!(slugs, ["one", "two"]);
}

#[test]
fn states_of_every_platform_keep_their_meaning() {
    use AffiliateStatus::{Approved, Paused, Pending, Rejected, Removed};
    for (header, state, status) in [
        ("Email,Token,State", "suspicious", Paused),
        ("Email,Ref ID,Status", "denied", Rejected),
        ("Email,Ref ID,State", "Accepted", Approved),
        ("Email,Ref ID,State", "not_set", Pending),
        ("Email,Ref ID,State", "blocked", Removed),
        ("Email,Referral Code,Approved", "true", Approved),
        ("Email,Referral Code,Approved", "false", Rejected),
        ("Partner Email,Partner Key,Approved Status", "declined", Rejected),
        ("Email,Enrolled at,Status", "Banned", Removed),
        ("Email,Payout Method,Status", "suspended", Paused),
    ] {
        let line = match header.split(',').next() {
            Some("Partner Email" | "Email") => format!("{header}\na@example.com,abc,{state}\n"),
            _ => unreachable!(),
        };
        let (_, values) = read(&Format::Auto, &line);
        assert_eq!(values[0].as_ref().unwrap().status, Some(status), "{header} {state}");
    }
}

#[test]
fn a_mapping_names_columns_in_any_language() {
    let mapping: BTreeMap<String, String> =
        [("E-Mail-Adresse", "email"), ("Vorname", "first"), ("推荐码", "slug")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let format = Format::parse(None, Some(&mapping)).unwrap();
    let (layout, values) = read(&format, "Vorname;Straße;e-mail adresse;推荐码\nÄnne;Am Weg 1;anne@example.com;anne\n");
    assert_eq!(layout.format, "custom");
    let value = values[0].as_ref().unwrap();
    assert_eq!(
        (value.first.as_deref(), value.email.as_deref(), value.slug.as_deref()),
        (Some("Änne"), Some("anne@example.com"), Some("anne"))
    );
    assert_eq!(layout.ignored(), ["Straße"]);
    let (field, message) = refused(&format, "Vorname;E-Mail-Adresse\n");
    assert_eq!(field, "mapping");
    assert!(message.contains("推荐码") && message.contains("Vorname, E-Mail-Adresse"), "{message}");
}

#[test]
fn a_mapping_that_cannot_work_is_refused() {
    let of = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
    for (name, mapping) in [
        (None, of(&[])),
        (None, of(&[("A", "first")])),
        (None, of(&[("A", "email"), ("B", "shoe size")])),
        (None, of(&[("!", "email")])),
        (Some("rewardful"), of(&[("A", "email")])),
    ] {
        assert!(Format::parse(name, Some(&mapping)).is_err(), "{name:?} {mapping:?}");
    }
    assert!(Format::parse(Some("excel"), None).is_err());
    assert_eq!(Format::parse(None, None).unwrap(), Format::Auto);
    assert_eq!(Format::parse(Some("custom"), None).unwrap().name(), "custom");
}

#[test]
fn our_own_words_need_no_mapping() {
    let (layout, values) = read(&Format::parse(Some("custom"), None).unwrap(), "email,name,slug,status\na@example.com,Ann,ann,approved\n");
    assert_eq!(layout.format, "custom");
    assert_eq!(values[0].as_ref().unwrap().status, Some(AffiliateStatus::Approved));
}

#[test]
fn the_tables_are_sound() {
    for platform in PLATFORMS.iter().chain([platforms::OWN]) {
        assert_eq!(platform.columns.len(), Field::ALL.len(), "{}", platform.name);
        let names = platform.columns.iter().flat_map(|(_, names)| names.iter()).chain(platform.marks.iter().flat_map(|m| m.iter()));
        for name in names.chain(platform.states.iter().map(|(state, _)| state)) {
            assert_eq!(plain(name), *name, "{}", platform.name);
        }
        for (index, (field, names)) in platform.columns.iter().enumerate() {
            let elsewhere = platform.columns.iter().enumerate().filter(|(i, _)| *i != index).flat_map(|(_, (_, n))| n.iter());
            assert!(!elsewhere.clone().any(|name| names.contains(name)), "{}: {field:?} shares a column", platform.name);
        }
    }
}
