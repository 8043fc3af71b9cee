// HighLevel's own client with a private integration's token: the sub-account, the contact, its tags and the workflow.
import { HighLevel } from '@gohighlevel/api-client';
import { ann, said, twin } from './common.mjs';

// The host is a constant of the class.
HighLevel.BASE_URL = twin;
const client = new HighLevel({ privateIntegrationToken: 'pit-00112233-4455-6677-8899-aabbccddeeff', apiVersion: '2021-07-28', logLevel: 'error' });
const locationId = 've9EPM428h8vShlRW1KT';
const contactId = 'ocQHyuzHvysMo5N5VsXc';

const { location } = await client.locations.getLocation({ locationId });
said('location', 'verify-ok', [location.id, location.name]);

const { tags } = await client.locations.getLocationTags({ locationId });
said('tags', 'choices-tags', tags[0].name);

const { customFields } = await client.locations.getCustomFields({ locationId, model: 'contact' });
said('fields', 'choices-fields', [customFields[0].id, customFields[0].fieldKey]);

const { workflows } = await client.workflows.getWorkflow({ locationId });
said('workflows', 'choices-workflows', [workflows[0].id, workflows[0].status]);

const nobody = await client.contacts.getDuplicateContact({ locationId, email: ann.email });
said('find', 'sync-workflow', nobody.contact);

const made = await client.contacts.upsertContact({ locationId, email: ann.email, firstName: ann.first, lastName: ann.last });
said('save', 'sync-workflow', [made.new, made.contact.id]);

const tagged = await client.contacts.addTags({ contactId }, { tags: ['rekomi affiliate'] });
said('tag', 'sync-workflow', tagged.tags);

const enrolled = await client.contacts.addContactToWorkflow({ contactId, workflowId: workflows[0].id }, {});
said('enrol', 'sync-workflow', enrolled.succeded);

const found = await client.contacts.getContact({ contactId });
said('contact', 'lookup-found', [found.contact.id, found.contact.tags]);

const nobodyNew = await client.contacts.getDuplicateContact({ locationId, email: 'new@example.com' });
said('find', 'sync-moved', nobodyNew.contact);

const before = await client.contacts.getContact({ contactId });
said('contact', 'sync-moved', before.contact.email);

const moved = await client.contacts.updateContact({ contactId }, { email: 'new@example.com' });
said('move', 'sync-moved', moved.succeded);

const incomplete = await client.contacts.getDuplicateContact({ locationId, email: ann.email });
said('find', 'sync-existing', [incomplete.contact.firstName, incomplete.contact.lastName]);

const filled = await client.contacts.updateContact({ contactId }, { lastName: ann.last });
said('update', 'sync-existing', filled.contact.id);

const more = await client.contacts.addTags({ contactId }, { tags: ['rekomi affiliate'] });
said('tag', 'sync-existing', more.tags);

const left = await client.contacts.removeTags({ contactId }, { tags: ['rekomi affiliate'] });
said('untag', 'untag', left.tags);
