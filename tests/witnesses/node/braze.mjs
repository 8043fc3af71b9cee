// The Braze community's client: the look, the new user with its group, and tags put on and taken off.
import { Braze } from 'braze-api';
import { ann, said, twin } from './common.mjs';

const braze = new Braze(twin, '5a8c2e10-7b1d-4f3e-9c55-0d2a6b7e8f90');
const group = '6e2f1a4c-0d5b-4c7e-9a51-3b8f0c2d7e19';
const fields_to_export = ['braze_id', 'external_id', 'email', 'first_name', 'last_name', 'email_subscribe', 'custom_attributes'];

const nobody = await braze.users.export.ids({ email_address: ann.email, fields_to_export });
said('find', 'sync-new', nobody.users.length);

const state = await braze.subscription.status.get({ subscription_group_id: group, email: ann.email });
said('group_state', 'sync-new', state.status);

const person = {
  email: ann.email,
  first_name: ann.first,
  last_name: ann.last,
  rekomi_tags: { add: ['Rekomi affiliate', 'Launch'] },
  subscription_groups: [{ subscription_group_id: group, subscription_state: 'subscribed' }],
  _update_existing_only: false,
};
const made = await braze.users.track({ attributes: [person] });
said('create', 'sync-new', made.attributes_processed);

const there = await braze.users.export.ids({ email_address: ann.email, fields_to_export });
said('find', 'sync-existing', there.users.map(({ external_id, email_subscribe }) => [external_id, email_subscribe]));

const news = { external_id: 'customer-7', last_name: ann.last, rekomi_tags: { add: ['Rekomi affiliate'] }, _update_existing_only: true };
const updated = await braze.users.track({ attributes: [news] });
said('update', 'sync-existing', updated.message);

const tagged = await braze.users.export.ids({ email_address: ann.email, fields_to_export });
said('find', 'untag', tagged.users[0].custom_attributes.rekomi_tags);

const off = { external_id: 'customer-7', rekomi_tags: { remove: ['Rekomi affiliate'] }, _update_existing_only: true };
const untagged = await braze.users.track({ attributes: [off] });
said('untag', 'untag', untagged.message);
