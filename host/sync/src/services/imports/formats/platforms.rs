//! The exports of other affiliate platforms, as tables. Beside each stands where its columns are known from and how sure that is; what is
//! not documented is covered by taking every name that the platform uses for the thing. Reviewed 2026-11.

use super::Field;
use crate::domain::AffiliateStatus;
use AffiliateStatus::{Approved, Paused, Pending, Rejected, Removed};

/// One platform's export.
#[derive(Debug, PartialEq)]
pub struct Platform {
    /// The API's word for it.
    pub name: &'static str,
    /// Names of columns as [`super::plain`] leaves them, the best first.
    pub(super) columns: &'static [(Field, &'static [&'static str])],
    /// The export is recognised when all columns of one of these rows are there.
    pub(super) marks: &'static [&'static [&'static str]],
    /// The platform's states and ours; `Approved` = active there.
    pub(super) states: &'static [(&'static str, AffiliateStatus)],
}

/// In the order in which they are tried: those with the plainest names last.
pub const PLATFORMS: &[Platform] = &[FIRSTPROMOTER, TAPFILIATE, PARTNERSTACK, DUB, TOLT, REWARDFUL];

/// The platform whose export this is: of those whose marks are there the one that knows most of the columns.
pub(super) fn detect(plains: &[String]) -> Option<&'static Platform> {
    let has = |name: &str| plains.iter().any(|p| p == name);
    let knows =
        |platform: &Platform| plains.iter().filter(|p| platform.columns.iter().any(|(_, known)| known.contains(&p.as_str()))).count();
    let marked = PLATFORMS.iter().filter(|p| p.marks.iter().any(|mark| mark.iter().all(|name| has(name))));
    // `max_by_key` takes the last of equals; the table's order says which comes first.
    marked.rev().max_by_key(|platform| knows(platform))
}

// Rewardful. Sure: the columns of its import (Imported ID or stripe_customer_id, First Name, Last Name, Email, PayPal Email, Wise Email, Token;
// help.rewardful.com, article 1988486, three versions), and the fields of its affiliate object (developers.rewardful.com: first_name, state `active`,
// links with token, coupon with token, created_at). Its export is not documented; that it has `token` the brief says. Other names and states: likely.
const REWARDFUL: Platform = Platform {
    name: "rewardful",
    columns: &[
        (Field::Email, &["email", "affiliateemail", "emailaddress"]),
        (Field::First, &["firstname", "affiliatefirstname"]),
        (Field::Last, &["lastname", "affiliatelastname"]),
        (Field::Full, &["name", "fullname", "affiliatename"]),
        (Field::Company, &["company", "companyname"]),
        (Field::Website, &["website", "websiteurl"]),
        (Field::Slug, &["token", "linktoken", "affiliatetoken", "linkurl", "link"]),
        (Field::Coupon, &["coupon", "couponcode", "coupontoken"]),
        (Field::Status, &["state", "status"]),
        (Field::Joined, &["createdat", "created", "confirmedat", "signedupat", "joinedat"]),
    ],
    marks: &[&["token"], &["linktoken"], &["importedid"], &["wiseemail"], &["affiliateemail", "affiliatefirstname"]],
    states: &[
        ("active", Approved),
        ("approved", Approved),
        ("enabled", Approved),
        ("confirmed", Approved),
        ("pending", Pending),
        ("unconfirmed", Pending),
        ("invited", Pending),
        ("new", Pending),
        ("disabled", Paused),
        ("inactive", Paused),
        ("paused", Paused),
        ("suspended", Paused),
        ("suspicious", Paused),
        ("deleted", Removed),
        ("removed", Removed),
        ("archived", Removed),
        ("rejected", Rejected),
        ("denied", Rejected),
        ("declined", Rejected),
    ],
};

// FirstPromoter. Sure: fields and states of its APIs (docs.firstpromoter.com: v1 `status` approved, pending, denied, `default_ref_id`, `cust_id`;
// v2 `state` pending, accepted, rejected, blocked, inactive, not_set, `ref_token`), and that exports of v1 and v2 carry the slug in `cust_ref` and
// `ref_id` (the brief's migration page). The other names of the exports: likely.
const FIRSTPROMOTER: Platform = Platform {
    name: "firstpromoter",
    columns: &[
        (Field::Email, &["email", "promoteremail", "emailaddress"]),
        (Field::First, &["firstname", "promoterfirstname"]),
        (Field::Last, &["lastname", "promoterlastname"]),
        (Field::Full, &["name", "fullname", "promotername", "promoter"]),
        (Field::Company, &["companyname", "company"]),
        (Field::Website, &["website", "websiteurl"]),
        (Field::Slug, &["refid", "custref", "defaultrefid", "reftoken", "referralid", "referrallink", "reflink"]),
        (Field::Coupon, &["promocode", "coupon", "couponcode", "promocodes"]),
        (Field::Status, &["status", "state", "promoterstatus"]),
        (Field::Joined, &["joinedat", "createdat", "signedupat", "joined", "created", "signupdate"]),
    ],
    marks: &[&["custref"], &["refid"], &["defaultrefid"], &["reftoken"], &["promoteremail"]],
    states: &[
        ("approved", Approved),
        ("accepted", Approved),
        ("active", Approved),
        ("pending", Pending),
        ("notset", Pending),
        ("invited", Pending),
        ("inactive", Paused),
        ("blocked", Removed),
        ("archived", Removed),
        ("deleted", Removed),
        ("denied", Rejected),
        ("rejected", Rejected),
    ],
};

// Tapfiliate. Sure: `referral_code` (the brief's migration page), and of its REST API `firstname`, `lastname`, `company.name`
// (tapfiliate.com/docs/rest). That `approved` is true, false (disapproved) or nothing (undecided), and the names of the e-mailed export: likely.
const TAPFILIATE: Platform = Platform {
    name: "tapfiliate",
    columns: &[
        (Field::Email, &["email", "affiliateemail", "emailaddress"]),
        (Field::First, &["firstname", "affiliatefirstname"]),
        (Field::Last, &["lastname", "affiliatelastname"]),
        (Field::Full, &["name", "fullname", "affiliatename", "affiliate"]),
        (Field::Company, &["company", "companyname"]),
        (Field::Website, &["website", "websiteurl"]),
        (Field::Slug, &["referralcode", "refcode", "referrallink"]),
        (Field::Coupon, &["coupon", "coupons", "couponcode"]),
        (Field::Status, &["status", "approved", "approvalstatus"]),
        (Field::Joined, &["createdat", "created", "joinedat", "dateadded", "signupdate"]),
    ],
    marks: &[&["referralcode"], &["refcode"]],
    states: &[
        ("approved", Approved),
        ("active", Approved),
        ("true", Approved),
        ("yes", Approved),
        ("1", Approved),
        ("pending", Pending),
        ("null", Pending),
        ("archived", Removed),
        ("deleted", Removed),
        ("disapproved", Rejected),
        ("rejected", Rejected),
        ("false", Rejected),
        ("no", Rejected),
        ("0", Rejected),
    ],
};

// PartnerStack. Sure: the columns of its partner import (partner_first, partner_last, partner_email, partner_key, partner_group, partner_joined_date;
// support.partnerstack.com, article 360009012554), and that the key stands at the end of a default link. Its export ("Export all records") has columns
// Partner, Owner, Group, Signed up on screen (article 360058412814); the names in the file follow the API (`key`, `email`, `first_name`): likely.
const PARTNERSTACK: Platform = Platform {
    name: "partnerstack",
    columns: &[
        (Field::Email, &["partneremail", "email", "owneremail", "emailaddress"]),
        (Field::First, &["partnerfirst", "partnerfirstname", "firstname"]),
        (Field::Last, &["partnerlast", "partnerlastname", "lastname"]),
        (Field::Full, &["partnername", "name", "owner", "ownername", "partner"]),
        (Field::Company, &["companyname", "company", "teamname", "team"]),
        (Field::Website, &["website", "websiteurl"]),
        (Field::Slug, &["partnerkey", "partnershipkey", "key", "defaultlink", "partnerlink", "link"]),
        (Field::Coupon, &["coupon", "couponcode", "promocode"]),
        (Field::Status, &["approvedstatus", "partnerstatus", "partnershipstatus", "status"]),
        (Field::Joined, &["partnerjoineddate", "joineddate", "joinedat", "signedup", "createdat", "created"]),
    ],
    marks: &[&["partnerkey"], &["partnershipkey"], &["partneremail"], &["partner", "owner", "group", "signedup"]],
    states: &[
        ("approved", Approved),
        ("active", Approved),
        ("pending", Pending),
        ("invited", Pending),
        ("inreview", Pending),
        ("applied", Pending),
        ("paused", Paused),
        ("inactive", Paused),
        ("suspended", Paused),
        ("archived", Removed),
        ("removed", Removed),
        ("deleted", Removed),
        ("declined", Rejected),
        ("rejected", Rejected),
    ],
};

// Dub Partners. Sure: its export's headings ID, Name, Email, Country, Status, Enrolled at, Payouts enabled at, Description, Clicks ..., Website, YouTube
// ... (the list in its public source, lib/zod/schemas/partners.ts) and its states (the same, and dub.co/help). The export has no slug of its own;
// where the merchant added one (username, short link), it is taken.
const DUB: Platform = Platform {
    name: "dub",
    columns: &[
        (Field::Email, &["email", "partneremail"]),
        (Field::First, &["firstname"]),
        (Field::Last, &["lastname"]),
        (Field::Full, &["name", "partnername"]),
        (Field::Company, &["companyname", "company"]),
        (Field::Website, &["website"]),
        (Field::Slug, &["username", "linkkey", "key", "shortlink", "referrallink", "links", "link"]),
        (Field::Coupon, &["discountcode", "coupon", "couponcode"]),
        (Field::Status, &["status"]),
        (Field::Joined, &["enrolledat", "createdat"]),
    ],
    marks: &[&["enrolledat"], &["payoutsenabledat"], &["tenantid", "email"]],
    states: &[
        ("approved", Approved),
        ("active", Approved),
        ("pending", Pending),
        ("invited", Pending),
        ("deactivated", Removed),
        ("archived", Removed),
        ("banned", Removed),
        ("declined", Rejected),
        ("rejected", Rejected),
    ],
};

// Tolt. Sure: fields and states of its API (docs.tolt.com: first_name, last_name, company_name, country_code, payout_method, website_url, display_name,
// status active, pending, suspended, rejected; links with param and value). Its export is not documented: likely at best.
const TOLT: Platform = Platform {
    name: "tolt",
    columns: &[
        (Field::Email, &["email", "partneremail", "affiliateemail"]),
        (Field::First, &["firstname"]),
        (Field::Last, &["lastname"]),
        (Field::Full, &["displayname", "name", "fullname"]),
        (Field::Company, &["companyname", "company"]),
        (Field::Website, &["websiteurl", "website"]),
        (Field::Slug, &["linkvalue", "referralcode", "referralvalue", "value", "slug", "referrallink", "link", "links"]),
        (Field::Coupon, &["promotioncode", "coupon", "couponcode"]),
        (Field::Status, &["status"]),
        (Field::Joined, &["createdat", "created", "joinedat", "signedupat"]),
    ],
    marks: &[&["payoutmethod", "email"], &["countrycode", "companyname", "email"], &["linkvalue"], &["publicid", "email"]],
    states: &[
        ("active", Approved),
        ("approved", Approved),
        ("pending", Pending),
        ("invited", Pending),
        ("suspended", Paused),
        ("archived", Removed),
        ("deleted", Removed),
        ("rejected", Rejected),
    ],
};

/// Our own words: a file that was made for us, and what our own lists are exported with.
pub(super) const OWN: &Platform = &Platform {
    name: super::CUSTOM,
    columns: &[
        (Field::Email, &["email", "emailaddress", "mail"]),
        (Field::First, &["first", "firstname", "givenname"]),
        (Field::Last, &["last", "lastname", "surname", "familyname"]),
        (Field::Full, &["full", "name", "fullname"]),
        (Field::Company, &["company", "companyname"]),
        (Field::Website, &["website", "websiteurl"]),
        (Field::Slug, &["slug", "referralslug", "token", "referralcode", "referrallink"]),
        (Field::Coupon, &["coupon", "couponcode"]),
        (Field::Status, &["status", "state"]),
        (Field::Joined, &["joined", "joinedat", "created", "createdat"]),
    ],
    marks: &[],
    states: &[
        ("approved", Approved),
        ("accepted", Approved),
        ("active", Approved),
        ("enabled", Approved),
        ("confirmed", Approved),
        ("true", Approved),
        ("yes", Approved),
        ("pending", Pending),
        ("new", Pending),
        ("applied", Pending),
        ("invited", Pending),
        ("unconfirmed", Pending),
        ("paused", Paused),
        ("disabled", Paused),
        ("inactive", Paused),
        ("suspended", Paused),
        ("removed", Removed),
        ("deleted", Removed),
        ("archived", Removed),
        ("banned", Removed),
        ("blocked", Removed),
        ("rejected", Rejected),
        ("denied", Rejected),
        ("declined", Rejected),
        ("disapproved", Rejected),
        ("false", Rejected),
        ("no", Rejected),
    ],
};
