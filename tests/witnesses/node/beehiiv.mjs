// beehiiv's own client: publications and custom fields, the subscription from its absence to its tags. It cannot take tags off.
import { BeehiivClient } from '@beehiiv/sdk';
import { ann, said, twin } from './common.mjs';

// What the generator of the library says about itself is left out.
const plain = (url, { headers, ...rest }) => fetch(url, { ...rest, headers: [...new Headers(headers)].filter(([name]) => !name.startsWith('x-fern-')) });
const token = '0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABCDEFGHIJ0123';
const client = new BeehiivClient({ token, baseUrl: `${twin}/v2`, fetch: plain, maxRetries: 0 });
const publication = 'pub_11111111-2222-3333-4444-555555555555';
const expanded = { 'expand[]': ['tags', 'custom_fields'] };
const oldestFirst = { limit: 100, order_by: 'created', direction: 'asc' };

const mine = await client.publications.index({ ...oldestFirst, page: 1 });
said('publications', 'verify-ok', [mine.data[0].id, mine.data[0].organization_name]);

const first = await client.publications.index({ ...oldestFirst, page: 1 });
said('publications', 'choices-two-pages', [first.data[0].name, first.page, first.total_pages]);

const second = await client.publications.index({ ...oldestFirst, page: 2 });
said('publications', 'choices-two-pages', [second.data[0].name, second.page, second.total_pages]);

const fields = await client.customFields.index(publication);
said('list_fields', 'choices-fields', fields.data.map(({ display, kind }) => [display, kind]));

const nobody = await client.subscriptions.getByEmail(publication, ann.email, expanded).catch(({ statusCode }) => statusCode);
said('find', 'sync-new', nobody);

const names = [{ name: 'First Name', value: ann.first }, { name: 'Last Name', value: ann.last }];
const asked = { email: ann.email, reactivate_existing: false, send_welcome_email: false, double_opt_override: 'not_set', utm_source: 'rekomi' };
const made = await client.subscriptions.create(publication, { ...asked, custom_fields: names });
said('subscribe', 'sync-new', [made.data.id, made.data.status]);

const tagged = await client.subscriptionTags.create(publication, made.data.id, { tags: ['Rekomi affiliate', 'Launch'] });
said('tag', 'sync-new', tagged.data.id);

const found = await client.subscriptions.getByEmail(publication, ann.email, expanded);
said('find', 'sync-existing', [found.data.id, found.data.tags, found.data.custom_fields.map(({ value }) => value)]);

const updated = await client.subscriptions.put(publication, found.data.id, { custom_fields: [names[1]] });
said('update', 'sync-existing', updated.data.id);

// Values that are no text: a number, a truth, a date, several.
const typed = { 'Affiliate code': 'ANN10', Score: 7, Partner: false, Since: '2026-11-23', Topics: ['yoga', 'sleep'] };
const others = Object.entries(typed).map(([name, value]) => ({ name, value }));
const filled = await client.subscriptions.create(publication, { ...asked, custom_fields: others });
said('subscribe', 'sync-fields', filled.data.email);
