// Sailthru's own client, which signs each request itself.
import { promisify } from 'node:util';
import sailthru from 'sailthru-client';
import { ann, credentials, picked, said, twin } from './common.mjs';

const client = sailthru.createSailthruClient(credentials.api_key, credentials.api_secret, { apiUrl: twin });
client.request.logging = false;
const get = promisify(client.apiGet.bind(client));
const save = promisify(client.saveUserByKey.bind(client));
const read = promisify(client.getUserByKey.bind(client));

const settings = await get('settings', {});
said('settings', 'verify-ok', settings.id);

const lists = await get('list', {});
said('lists', 'choices-lists', lists.lists.map(({ name }) => name));

const same = { [picked.lists]: '53df0861dd52b83c368c784b' };
const list = await get('list', { list_id: picked.lists });
said('list', 'sync-new', list.list, same);

const vars = {
  first_name: ann.first,
  last_name: ann.last,
  rekomi_affiliate_status: 'approved',
  rekomi_tags: ['Rekomi affiliate', 'Summer'],
};
const saved = await save(ann.email, 'email', {
  keys: { email: ann.email },
  vars,
  lists: { [list.list]: 1 },
  fields: { keys: 1, optout_email: 1 },
});
said('save', 'sync-new', [saved.ok, saved.keys.email, saved.optout_email]);

const fields = { keys: 1, vars: 1, lists: 1, optout_email: 1 };
const person = await read(ann.email, 'email', fields);
said('person', 'untag.id-unknown', [person.vars.first_name, person.vars.rekomi_tags, Object.keys(person.lists)]);

const rest = await save(ann.email, 'email', { vars: { rekomi_affiliate_status: 'removed', rekomi_tags: [] } });
said('retag', 'untag.id-unknown', rest.ok);
