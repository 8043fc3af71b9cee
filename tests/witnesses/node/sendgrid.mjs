// SendGrid's own client, which leaves paths and bodies to its caller: headers, credentials and encoding are its word.
import { Client } from '@sendgrid/client';
import { ann, credentials, picked, said, twin } from './common.mjs';

const client = new Client();
client.setApiKey(credentials.api_key);
client.setDefaultRequest('baseUrl', `${twin}/`);
const ask = async (method, url, { body, qs } = {}) => (await client.request({ method, url, body, qs }))[0].body;
const search = () => ask('POST', '/v3/marketing/contacts/search/emails', { body: { emails: [ann.email] } });

const lists = await ask('GET', '/v3/marketing/lists', { qs: { page_size: 1000 } });
said('lists', 'prepare-creates', lists.result.map(({ name }) => name));

const tag = await ask('POST', '/v3/marketing/lists', { body: { name: 'Rekomi affiliate' } });
said('create_list', 'prepare-creates', tag.name);

const nobody = await search().catch(({ code }) => code);
said('find', 'sync-new', nobody);

const same = { [picked.list]: 'd0000000-0000-4000-8000-000000000001', [tag.id]: 'a0000000-0000-4000-8000-000000000001' };
const contacts = [{ email: ann.email, first_name: ann.first, last_name: ann.last }];
const job = await ask('PUT', '/v3/marketing/contacts', { body: { list_ids: [picked.list, tag.id], contacts } });
said('save', 'sync-new', typeof job.job_id, same);

const told = await ask('GET', `/v3/marketing/contacts/imports/${job.job_id}`);
said('import', 'sync-new', told.id === job.job_id, { [job.job_id]: 'b0000000-0000-4000-8000-000000000009' });

const found = (await search()).result[ann.email].contact;
said('find', 'lookup-found', [found.email, found.first_name, found.last_name]);

const optout = await ask('GET', `/v3/asm/suppressions/global/${encodeURIComponent(ann.email)}`);
said('optout', 'sync-new', optout);

const custom = await ask('GET', '/v3/marketing/field_definitions');
said('fields', 'choices-fields', custom.custom_fields.map(({ id }) => id));

const user = await ask('GET', '/v3/user/username');
said('username', 'verify-ok', user.username);

const left = await ask('DELETE', `/v3/marketing/lists/${tag.id}/contacts`, { qs: { contact_ids: found.id } });
said('leave', 'untag', typeof left.job_id, { ...same, [found.id]: 'c0000000-0000-4000-8000-000000000005' });
