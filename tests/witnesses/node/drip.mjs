// Drip's own client: accounts, the person with tags, and Email Series. Its host cannot be set.
import { ann, redirected, said } from './common.mjs';

redirected();
// The client encodes the token as it is given: the colon before the empty password comes with it.
const { default: drip } = await import('drip-nodejs');
const client = drip({ token: '0123456789abcdef0123456789abcdef:', accountId: '9999999' });
const id = 'z1togz2hcjrkpp5treip';

const accounts = await client.listAccounts();
said('accounts', 'verify-ok', accounts.data.accounts.map(({ id: number, name }) => [number, name]));

const series = await client.listCampaigns();
said('list_series', 'choices-two-pages', [series.data.campaigns[0].id, series.data.meta.total_pages]);

const tags = await client.listAllTags();
said('list_tags', 'choices-tags', tags.data.tags);

const fields = await client.listAllCustomFields();
said('list_fields', 'choices-fields', fields.data.custom_field_identifiers);

const nobody = await client.fetchSubscriber(ann.email).catch((error) => error);
said('person', 'sync-new', nobody.response.status);

const person = { email: ann.email, first_name: ann.first, last_name: ann.last, initial_status: 'active', tags: ['Rekomi affiliate', 'Launch'] };
const saved = await client.createUpdateSubscriber(person);
said('save', 'sync-new', [saved.data.subscribers[0].id, saved.data.subscribers[0].tags]);

const found = await client.fetchSubscriber(ann.email);
said('person', 'lookup-found', [found.data.subscribers[0].id, found.data.subscribers[0].status]);

const untagged = await client.createUpdateSubscriber({ id, initial_status: 'active', remove_tags: ['Rekomi affiliate'] });
said('untag', 'untag', untagged.data.subscribers[0].tags);

const on = await client.subscriberCampaignSubscriptions(id);
said('person_series', 'sync-series', on.data.campaign_subscriptions.map(({ campaign_id: campaign }) => campaign));

const started = await client.subscribeToCampaign('123456', { email: ann.email, reactivate_if_removed: false });
said('start_series', 'sync-series', started.data.subscribers[0].id);
