//! How an affiliate's standing in a campaign changes. Pure: what it means for connections is the [`super::desk`]'s matter.

use super::ServiceError;
use crate::domain::{Affiliate, AffiliateStatus, MOST_CAMPAIGNS, Membership};

/// A membership went from one status to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub campaign: String,
    /// `None` = has just joined.
    pub from: Option<AffiliateStatus>,
    pub to: AffiliateStatus,
    /// Whether they were ever approved before: only then can a vendor know of them.
    pub known: bool,
}

/// Puts an affiliate into a campaign. `None` = is in it already, whatever the status.
pub fn join(affiliate: &mut Affiliate, campaign: &str, status: AffiliateStatus, now: u64) -> Result<Option<Moved>, ServiceError> {
    if affiliate.membership(campaign).is_some() {
        return Ok(None);
    }
    if affiliate.campaigns.len() >= MOST_CAMPAIGNS {
        return Err(ServiceError::invalid("campaign", format!("one affiliate can be in {MOST_CAMPAIGNS} campaigns at most")));
    }
    let approved = (status == AffiliateStatus::Approved).then_some(now);
    affiliate.campaigns.push(Membership { campaign: campaign.to_owned(), status, joined: now, approved, changed: now, reason: None });
    affiliate.updated = now;
    Ok(Some(Moved { campaign: campaign.to_owned(), from: None, to: status, known: false }))
}

/// Changes the status in one campaign. `None` = it has that status already, or is not in the campaign.
pub fn set_status(affiliate: &mut Affiliate, campaign: &str, to: AffiliateStatus, reason: Option<String>, now: u64) -> Option<Moved> {
    let membership = affiliate.membership_mut(campaign)?;
    if membership.status == to {
        return None;
    }
    let (from, known) = (membership.status, membership.approved.is_some());
    membership.status = to;
    membership.changed = now;
    membership.reason = reason;
    if to == AffiliateStatus::Approved {
        membership.approved = Some(now);
    }
    affiliate.updated = now;
    Some(Moved { campaign: campaign.to_owned(), from: Some(from), to, known })
}

/// The statuses from which a change of many usually starts: "approve all" means all who wait.
pub fn usual(to: AffiliateStatus) -> &'static [AffiliateStatus] {
    match to {
        AffiliateStatus::Approved | AffiliateStatus::Rejected => &[AffiliateStatus::Pending],
        AffiliateStatus::Paused => &[AffiliateStatus::Approved],
        AffiliateStatus::Removed => &[AffiliateStatus::Approved, AffiliateStatus::Paused, AffiliateStatus::Pending],
        AffiliateStatus::Pending => &[],
    }
}
