// Mailjet's own client: the profile, lists and properties, the contact, and its memberships. Its host cannot be http.
import Mailjet from 'node-mailjet';
import { ann, redirected, said } from './common.mjs';

redirected();
const mailjet = new Mailjet({ apiKey: '00112233445566778899aabbccddeeff', apiSecret: 'ffeeddccbbaa99887766554433221100' });
const get = (resource) => mailjet.get(resource, { version: 'v3' });
const post = (resource) => mailjet.post(resource, { version: 'v3' });
const list = 36735;
const id = 254509966;

const profile = await get('myprofile').request();
said('profile', 'verify-ok', profile.body.Data[0].CompanyName);

const few = await get('contactslist').request({}, { Limit: 1, Sort: 'ID' });
said('lists', 'verify-ok', few.body.Data[0].ID);

const all = await get('contactslist').request({}, { Limit: 100, Offset: 0, Sort: 'ID' });
said('lists', 'prepare-creates', all.body.Data[0].Name);

const made = await post('contactslist').request({ Name: 'Rekomi affiliate' });
said('create_list', 'prepare-creates', made.body.Data[0].ID);

const properties = await get('contactmetadata').request({}, { Limit: 100, Offset: 0, Sort: 'ID' });
said('properties', 'prepare-creates', properties.body.Data.map(({ Name }) => Name));

const nobody = await get('contact').id(ann.email).request().catch((refused) => refused.response?.status ?? refused.statusCode);
said('find', 'sync-new', nobody);

const saved = await post('contactslist').id(list).action('managecontact').request({
  Email: ann.email,
  Name: `${ann.first} ${ann.last}`,
  Action: 'addnoforce',
  Properties: { firstname: ann.first, name: ann.last },
});
said('save', 'sync-new', saved.body.Data[0].ContactID);

const left = await get('listrecipient').request({}, { Contact: id, ContactsList: list, Unsub: true, Limit: 1 });
said('left', 'sync-new', left.body.Count);

const lists = [40001, 40002].map((ListID) => ({ ListID, Action: 'addnoforce' }));
const tagged = await post('contact').id(id).action('managecontactslists').request({ ContactsLists: lists });
said('tag', 'sync-new', tagged.body.Data[0].ContactsLists.length);

const found = await get('contact').id(ann.email).request();
said('find', 'sync-existing', found.body.Data[0].ID);

const joined = await get('listrecipient').request({}, { Contact: id, Limit: 1000 });
said('memberships', 'sync-existing', joined.body.Data.map(({ ListName }) => ListName));

const values = await get('contactdata').id(id).request();
said('values', 'sync-existing', values.body.Data[0].Data[0].Value);

const completed = await post('contactslist').id(list).action('managecontact').request({
  Email: ann.email,
  Action: 'addnoforce',
  Properties: { name: ann.last },
});
said('save', 'sync-existing', completed.body.Data[0].Properties);

const stayed = await get('listrecipient').request({}, { Contact: id, ContactsList: list, Unsub: true, Limit: 1 });
said('left', 'sync-existing', stayed.body.Data);

const again = await post('contact').id(id).action('managecontactslists').request({ ContactsLists: lists.slice(0, 1) });
said('tag', 'sync-existing', again.body.Data[0].ContactsLists.length);

const rows = await get('listrecipient').request({}, { Contact: id, Limit: 1000 });
said('memberships', 'untag', rows.body.Data.map(({ ListID }) => ListID));

const removed = await post('contact').id(id).action('managecontactslists').request({ ContactsLists: [{ ListID: 40001, Action: 'remove' }] });
said('untag', 'untag', removed.body.Data[0].ContactsLists[0].Action);
