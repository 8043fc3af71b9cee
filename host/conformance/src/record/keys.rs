//! What a key of a vendor's answer says about its value, whoever the vendor is. Pure.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Email,
    First,
    Last,
    Full,
    /// `name` alone: somebody's only beside an e-mail.
    Name,
    Company,
    Phone,
    Place,
    Ip,
    Born,
    Id,
    Other,
}

pub(super) fn kind(key: &str) -> Kind {
    let folded: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match folded.as_str() {
        "email" | "emailaddress" | "mail" | "primaryemail" | "login" => Kind::Email,
        "firstname" | "fname" | "first" | "givenname" | "forename" => Kind::First,
        "lastname" | "lname" | "last" | "surname" | "familyname" => Kind::Last,
        "fullname" | "displayname" | "contactname" | "username" | "ownername" => Kind::Full,
        "name" | "accountname" | "title" => Kind::Name,
        "company" | "companyname" | "organization" | "organisation" | "organizationname" | "business" | "businessname" => Kind::Company,
        "phone" | "phonenumber" | "mobile" | "mobilephone" | "cell" | "cellphone" | "fax" | "sms" | "smsnumber" | "homephone" => {
            Kind::Phone
        }
        "street" | "address" | "address1" | "address2" | "addr1" | "addr2" | "city" | "zip" | "zipcode" | "postcode" | "postalcode" => {
            Kind::Place
        }
        "ip" | "ipaddress" | "ipsignup" | "ipopt" | "signupip" | "optinip" | "remoteip" => Kind::Ip,
        "birthday" | "birthdate" | "dateofbirth" | "dob" => Kind::Born,
        _ if is_id(key, &folded) => Kind::Id,
        _ => Kind::Other,
    }
}

fn is_id(key: &str, folded: &str) -> bool {
    let end = |suffix: &str| key.ends_with(suffix);
    matches!(folded, "id" | "ids" | "uuid" | "guid" | "uid")
        || ["_id", "_ids", "-id", "Id", "Ids", "ID", "IDs", "_uuid", "Uuid", "_guid"].iter().any(|suffix| end(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_they_hold_in_every_spelling() {
        for (key, expected) in [
            ("firstName", Kind::First),
            ("first_name", Kind::First),
            ("LNAME", Kind::Last),
            ("email_address", Kind::Email),
            ("contact_id", Kind::Id),
            ("accountId", Kind::Id),
            ("id", Kind::Id),
            ("ip_signup", Kind::Ip),
            ("paid", Kind::Other),
            ("valid", Kind::Other),
            ("status", Kind::Other),
        ] {
            assert_eq!(kind(key), expected, "{key}");
        }
    }
}
