// Intercom's own client: who the token is, tags and attributes, the contact, and its tags.
import { IntercomClient } from 'intercom-client';
import { ann, said, twin } from './common.mjs';

const token = 'dG9rOjAwMTEyMjMzNDQ1NTY2Nzc4ODk5YWFiYmNjZGRlZWZm';
// What the generator of the library says about itself is left out.
const plain = (url, { headers, ...rest }) => fetch(url, { ...rest, headers: [...new Headers(headers)].filter(([name]) => !name.startsWith('x-fern-')) });
// The library's types end with an older version than the connector's.
const client = new IntercomClient({ token, baseUrl: twin, version: '2.16', fetch: plain, maxRetries: 0 });
const id = '6762f0dd1bb69f9f2193bb83';
const name = `${ann.first} ${ann.last}`;

const me = await client.admins.identify();
said('me', 'verify-ok', [me.app.id_code, me.app.name, me.app.region]);

const first = await client.tags.list();
said('tags', 'verify-ok', first.data.length);

const attributes = await client.dataAttributes.list({ model: 'contact' });
said('attributes', 'choices-fields', attributes.data.map((attribute) => attribute.name));

const tags = await client.tags.list();
said('tags', 'prepare-creates', tags.data.map((tag) => tag.name));

const made = await client.tags.create({ name: 'Rekomi affiliate' });
said('create_tag', 'prepare-creates', made.id);

const byEmail = { query: { field: 'email', operator: '=', value: ann.email }, pagination: { per_page: 20 } };
const nobody = await client.contacts.search(byEmail);
said('search', 'sync-new', nobody.data.length);

const created = await client.contacts.create({ role: 'user', email: ann.email, name });
said('create', 'sync-new', [created.id, created.unsubscribed_from_emails]);

const tagged = await client.tags.tagContact({ contact_id: id, id: '105' });
said('tag', 'sync-new', tagged.name);

const found = await client.contacts.search(byEmail);
said('search', 'sync-existing.name-missing', [found.data[0].id, found.data[0].role]);

const updated = await client.contacts.update({ contact_id: id, name });
said('update', 'sync-existing.name-missing', updated.name);

const read = await client.contacts.find({ contact_id: id });
said('contact', 'untag', read.email);

const untagged = await client.tags.untagContact({ contact_id: id, tag_id: '105' });
said('untag', 'untag', untagged.id);

const seen = await client.contacts.find({ contact_id: id });
said('contact', 'lookup-found', seen.id);

const attached = await client.contacts.listAttachedTags({ contact_id: id });
said('contact_tags', 'lookup-found', attached.data.map((tag) => tag.id));
