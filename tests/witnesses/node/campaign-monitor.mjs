// The client that Node.js users have, createsend-node: clients, lists, fields, and the subscriber. It was made for an older version of
// the API, which is one part of each path.
import CreateSend from 'createsend-node';
import { ann, said, twin } from './common.mjs';

const api = new CreateSend({ apiKey: '0123456789abcdef0123456789abcdef' }, { secure: false, baseUri: new URL(twin).host });
api.version = 'v3.3';
const list = 'a58ee1d3039b8bec838e6d1482a8a965';
const constants = { Resubscribe: false, RestartSubscriptionBasedAutoresponders: false, ConsentToTrack: 'Unchanged' };
const option = (Value) => ({ Key: '[Rekomitags]', Value });
/** Callbacks as promises; what went wrong is an answer as well. */
const asked = (ask) => new Promise((answer) => ask((error, result) => answer(error ?? result)));

const clients = await asked((then) => api.account.getClients(then));
said('clients', 'verify-ok', clients.map(({ clientId, name }) => [clientId, name]));

const lists = await asked((then) => api.clients.getLists('4a397ccaaa55eb4e6aa1221e1e2d7122', then));
said('lists', 'choices-list', lists.map(({ ListID, Name }) => [ListID, Name]));

const fields = await asked((then) => api.lists.getCustomFields(list, then));
said('fields', 'choices-fields', fields.map(({ Key, DataType }) => [Key, DataType]));

const field = { FieldName: 'Rekomi tags', DataType: 'MultiSelectMany', Options: ['Rekomi affiliate', 'Launch'], VisibleInPreferenceCenter: false };
said('make_field', 'prepare-creates', await asked((then) => api.lists.createCustomField(list, field, then)));

// It leaves the encoding of the key to its caller.
const key = encodeURIComponent('[Rekomitags]');
const more = { KeepExistingOptions: true, Options: ['Launch'] };
said('add_options', 'prepare-creates.option', (await asked((then) => api.lists.updateCustomFieldOptions(list, key, more, then))) ?? 'added');

const nobody = await asked((then) => api.subscribers.getSubscriberDetails(list, ann.email, then));
said('find', 'sync-new', nobody.Code);

const person = { EmailAddress: ann.email, Name: `${ann.first} ${ann.last}`, CustomFields: [option('Rekomi affiliate'), option('Launch')], ...constants };
const added = await asked((then) => api.subscribers.addSubscriber(list, person, then));
said('add', 'sync-new', added.emailAddress);

const theirs = ['radio', 'blog'].map((Value) => ({ Key: '[Channels]', Value }));
const changed = { EmailAddress: ann.email, CustomFields: [option('Theirs'), option('Rekomi affiliate'), ...theirs], ...constants };
said('update', 'sync-existing', (await asked((then) => api.subscribers.updateSubscriber(list, ann.email, changed, then))) ?? 'updated');

const unticked = { ...changed, CustomFields: [option('Theirs'), option('Launch'), { ...option('Rekomi affiliate'), Clear: true }] };
said('untag', 'untag', (await asked((then) => api.subscribers.updateSubscriber(list, ann.email, unticked, then))) ?? 'updated');
