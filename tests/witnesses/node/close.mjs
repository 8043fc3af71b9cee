// The community's client of Close, the only one on npm: whose key it is, statuses, the lead with its contact, and the contact's fields.
import Closeio from 'close.io';
import { ann, redirected, said } from './common.mjs';

redirected();
const close = new Closeio('api_00112233445566778899aa.bbccddeeff00112233445566');
const field = 'custom.cf_v6S011I6MqcbVvB2FA5Nk8dr5MkL8sWuCiG8cUleO9c';
const id = 'cont_WkCG7ujzTYPCoOTUcao7tRUj9TMChmWgeNXimiJT9eJ';
const name = `${ann.first} ${ann.last}`;

const me = await close.user.me();
said('me', 'verify-ok', [me.organizations[0].id, me.organizations[0].name]);

const statuses = await close.status.lead.list();
said('statuses', 'choices-status', statuses.data.map((status) => status.label));

const contact = { name, emails: [{ email: ann.email, type: 'office' }], [field]: ['Rekomi affiliate', 'Launch'] };
const made = await close.lead.create({ name, contacts: [contact] });
said('create', 'sync-new', made.contacts[0].id);

const read = await close.contact.read(id);
said('contact', 'sync-existing', read.name);

const tagged = await close.contact.update(id, { [`${field}.add`]: 'Rekomi affiliate' });
said('update', 'sync-existing', tagged.id);

const before = await close.contact.read(id);
said('contact', 'untag', before[field]);

const untagged = await close.contact.update(id, { [`${field}.remove`]: 'Rekomi affiliate' });
said('untag', 'untag', untagged.id);
