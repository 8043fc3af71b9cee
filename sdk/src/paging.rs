//! Reading every page. Cursors are opaque to the host; here are the two usual kinds: an offset, and whatever the vendor
//! hands out.

use crate::error;
use crate::types::Error;

/// The offset that a picker's cursor stands for; no cursor is the beginning.
///
/// ```
/// use crm_connector_sdk::paging;
/// assert_eq!(paging::offset(None), Ok(0));
/// assert_eq!(paging::offset(Some("50")), Ok(50));
/// assert!(paging::offset(Some("-1; DROP")).is_err());
/// ```
pub fn offset(cursor: Option<&str>) -> Result<u32, Error> {
    cursor.map_or(Ok(0), |text| text.parse().map_err(|_| error::permanent("cursor", format!("'{text}' is no cursor of this picker"))))
}

/// The cursor of the page after this one: none when fewer rows came than a page holds.
///
/// ```
/// use crm_connector_sdk::paging::next_offset;
/// assert_eq!(next_offset(50, 50, 50).as_deref(), Some("100"));
/// assert_eq!(next_offset(50, 49, 50), None);
/// ```
pub fn next_offset(start: u32, got: usize, page_size: u32) -> Option<String> {
    (got >= page_size as usize && page_size > 0).then(|| start.saturating_add(page_size).to_string())
}

/// Every row of every page. `page` is given the cursor and returns its rows and the next cursor.
///
/// Ends with `permanent` when the vendor hands out a cursor twice in a row or there are more than `max_pages`: an endless
/// listing is a defect, and half a listing would look like missing tags.
///
/// ```
/// use crm_connector_sdk::{paging, types::Error};
/// let rows = paging::collect(10, |cursor| {
///     let start = paging::offset(cursor)?;
///     Ok::<_, Error>((vec![start, start + 1], paging::next_offset(start, if start < 4 { 2 } else { 0 }, 2)))
/// });
/// assert_eq!(rows, Ok(vec![0, 1, 2, 3, 4, 5]));
/// ```
pub fn collect<T>(max_pages: u32, mut page: impl FnMut(Option<&str>) -> Result<(Vec<T>, Option<String>), Error>) -> Result<Vec<T>, Error> {
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..max_pages {
        let (more, next) = page(cursor.as_deref())?;
        rows.extend(more);
        match next {
            None => return Ok(rows),
            Some(next) if Some(&next) == cursor.as_ref() => {
                return Err(error::permanent("paging", "the vendor names the same page as its own successor"));
            }
            Some(next) => cursor = Some(next),
        }
    }
    Err(error::permanent("paging", format!("more than {max_pages} pages")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_never_ends_is_refused() {
        let mut n = 0;
        let endless = collect::<u8>(5, |_| {
            n += 1;
            Ok((vec![], Some(n.to_string())))
        });
        assert!(matches!(endless, Err(Error::Permanent(_))));
        assert_eq!(n, 5);
    }

    #[test]
    fn a_cursor_that_repeats_is_refused() {
        assert!(matches!(collect::<u8>(50, |_| Ok((vec![], Some("same".into())))), Err(Error::Permanent(_))));
    }

    #[test]
    fn a_failed_page_fails_the_whole() {
        assert!(matches!(collect::<u8>(5, |_| Err(error::retryable(500, "x"))), Err(Error::Retryable(_))));
    }
}
