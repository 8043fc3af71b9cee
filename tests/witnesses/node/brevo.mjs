// Brevo's own client: the account, lists and attributes, the contact from its creation to the loss of its tags.
import { BrevoClient } from '@getbrevo/brevo';
import { ann, said, twin } from './common.mjs';

// What the client tells of itself is no part of a request.
const plain = (url, { headers, ...rest }) => fetch(url, { ...rest, headers: [...new Headers(headers)].filter(([name]) => !name.startsWith('x-fern-')) });
const { account, contacts } = new BrevoClient({ apiKey: 'xkeysib-0000000000000000', baseUrl: `${twin}/v3`, maxRetries: 0, fetch: plain });

const whose = await account.getAccount();
said('account', 'verify-ok', [whose.companyName, whose.email]);

const lists = await contacts.getLists({ limit: 50, offset: 0, sort: 'asc' });
said('lists', 'choices-two-pages', [lists.count, lists.lists.length, lists.lists[0].id]);

const further = await contacts.getLists({ limit: 50, offset: 50, sort: 'asc' });
said('lists', 'choices-two-pages', further.lists.map(({ name }) => name));

const attributes = await contacts.getAttributes();
said('attributes', 'choices-fields', attributes.attributes.filter(({ category }) => category === 'category').map(({ name }) => name));

await contacts.createAttribute({ attributeCategory: 'normal', attributeName: 'REKOMI_TAGS', type: 'text' });
said('create_attribute', 'prepare-creates', true);

const nobody = await contacts.getContactInfo({ identifier: ann.email, identifierType: 'email_id' }).catch(({ statusCode, body }) => [statusCode, body.code]);
said('find', 'sync-new', nobody);

const made = await contacts.createContact({
  email: ann.email,
  attributes: { FIRSTNAME: ann.first, LASTNAME: ann.last, REKOMI_TAGS: 'Rekomi affiliate,Launch' },
  listIds: [7],
  updateEnabled: true,
});
said('create', 'sync-new', made.id);

const found = await contacts.getContactInfo({ identifier: ann.email, identifierType: 'email_id' });
said('find', 'sync-existing', [found.id, found.emailBlacklisted, found.listIds, found.attributes.REKOMI_TAGS]);

const changes = { attributes: { REKOMI_TAGS: 'customer,Beta,Rekomi affiliate' }, listIds: [7] };
await contacts.updateContact({ identifier: '42', identifierType: 'contact_id', ...changes });
said('update', 'sync-existing', true);

const before = await contacts.getContactInfo({ identifier: 'ann@new.example', identifierType: 'email_id' }).catch(({ statusCode }) => statusCode);
said('find', 'sync-moved', before);
const old = await contacts.getContactInfo({ identifier: ann.email, identifierType: 'email_id' });
said('find', 'sync-moved', old.email);
await contacts.updateContact({ identifier: '42', identifierType: 'contact_id', attributes: { EMAIL: 'ann@new.example' } });
said('move', 'sync-moved', true);

const refused = await contacts.getContactInfo({ identifier: ann.email, identifierType: 'email_id' }).catch(({ statusCode }) => statusCode);
said('find', 'destination-missing', refused);
const wrong = await contacts
  .createContact({ email: ann.email, attributes: { FIRSTNAME: ann.first, LASTNAME: ann.last, REKOMI_TAGS: 'Rekomi affiliate' }, listIds: [7], updateEnabled: true })
  .catch(({ statusCode, body }) => [statusCode, body.code]);
said('create', 'destination-missing', wrong);
const gone = await contacts.getList({ listId: 7 }).catch(({ statusCode, body }) => [statusCode, body.code]);
said('list', 'destination-missing', gone);

const read = await contacts.getContactInfo({ identifier: '42', identifierType: 'contact_id' });
said('read', 'untag', read.attributes.REKOMI_TAGS);
await contacts.updateContact({ identifier: '42', identifierType: 'contact_id', attributes: { REKOMI_TAGS: 'customer,Beta' } });
said('retag', 'untag', true);
