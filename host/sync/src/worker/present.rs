//! A claimed job as things stand when it runs. It may have waited for days: what the person's other campaigns give, and whose an address is, are
//! looked up anew, so that a late job undoes nothing of a newer one.

use crm_contract::types::Known;
use crm_store::model::{Claim, Kind, Purpose};

use crate::context::Context;
use crate::domain::{Affiliate, Connection, holds_tag, normalise_email};
use crate::services::{ServiceError, desk};

/// The tags that count now.
pub(super) struct Tags {
    /// Every tag that is wanted on the contact.
    pub(super) all: Vec<String>,
    /// Those to take off, as far as nobody wants them.
    pub(super) clear: Vec<String>,
}

/// Brings the job's person up to date and says which tags count. Nobody there any more by that id: the job's own words count.
pub(super) async fn look(context: &Context, claim: &mut Claim, connection: &Connection) -> Result<Tags, ServiceError> {
    let new = &claim.job.new;
    let Some((affiliate, _)) = context.load::<Affiliate>(&new.organization, Kind::Affiliate, &new.affiliate).await? else {
        return Ok(Tags { all: new.all.clone(), clear: new.clear.clone() });
    };
    address(context, claim, &affiliate).await?;
    let all = desk::wanted_now(context, connection, &affiliate).await?;
    let kept = |tag: &&String| !holds_tag(&all, tag);
    let clear = claim.job.new.clear.iter().filter(kept).cloned().collect();
    Ok(Tags { all, clear })
}

async fn address(context: &Context, claim: &mut Claim, affiliate: &Affiliate) -> Result<(), ServiceError> {
    let lane = claim.job.new.contact_lane();
    let new = &mut claim.job.new;
    let who = &mut new.who;
    if new.purpose == Purpose::Untag && normalise_email(&who.email) != normalise_email(&affiliate.email) {
        // The sync of another campaign may have moved the contact since: the tags are to come off wherever it is.
        who.previous_email = Some(std::mem::replace(&mut who.email, affiliate.email.clone()));
        if let Some(contact) = context.store.contact(&lane, &normalise_email(&who.email)).await? {
            claim.known = contact.known;
        }
    }
    let Some(previous) = &who.previous_email else { return Ok(()) };
    if desk::another_has(context, &new.organization, &new.affiliate, previous).await? {
        // What is there by that address is somebody else's contact now, and so is what is known of it.
        who.previous_email = None;
        if context.store.contact(&lane, &normalise_email(&who.email)).await?.is_none() {
            claim.known = Known::default();
        }
    }
    Ok(())
}
