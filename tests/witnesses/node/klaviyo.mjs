// Klaviyo's own client: the profile with its stand-in for tags, the consent for a new one, and the list.
import { AccountsApi, ApiKeySession, ListsApi, ProfilesApi } from 'klaviyo-api';
import { ann, credentials, picked, said, twin } from './common.mjs';

const session = new ApiKeySession(credentials.api_key);
const at = (api) => Object.assign(api, { basePath: twin });
const [accounts, lists, profiles] = [new AccountsApi(session), new ListsApi(session), new ProfilesApi(session)].map(at);

const list = picked.list;
const filter = `equals(email,"${ann.email}")`;
const find = () => profiles.getProfiles({ filter, additionalFieldsProfile: ['subscriptions'], pageSize: 1 });

const account = await accounts.getAccounts({ fieldsAccount: ['contact_information.organization_name'] });
said('account', 'verify-ok', account.body.data[0].attributes.contactInformation.organizationName);

const choices = await lists.getLists({ fieldsList: ['name', 'opt_in_process'], pageSize: 10 });
said('lists', 'verify-ok', choices.body.data.map(({ id, attributes }) => [id, attributes.name, attributes.optInProcess]));

const nobody = await find();
said('find', 'sync-new', nobody.body.data.length);

const append = { rekomi_tags: 'Rekomi affiliate' };
const attributes = { email: ann.email, firstName: ann.first, lastName: ann.last };
const query = { data: { type: 'profile', attributes, meta: { patchProperties: { append } } } };
const saved = await profiles.createOrUpdateProfile(query, { additionalFieldsProfile: ['subscriptions'] });
const id = saved.body.data.id;
const { email, firstName, lastName, subscriptions } = saved.body.data.attributes;
said('save', 'sync-new', [email, firstName, lastName, subscriptions.email.marketing.consent]);

const consent = { email: { marketing: { consent: 'SUBSCRIBED' } } };
await profiles.bulkSubscribeProfiles({
  data: {
    type: 'profile-subscription-bulk-create-job',
    attributes: {
      customSource: 'Affiliate program',
      profiles: { data: [{ type: 'profile', attributes: { email: ann.email, subscriptions: consent } }] },
    },
    relationships: { list: { data: { type: 'list', id: list } } },
  },
});
const same = { [list]: 'Y6nRLr', [id]: '01GDDKASAP8TKDDA2GRZDSVP4H' };
said('subscribe', 'sync-new', null, same);

const there = await find();
said('find', 'sync-new', there.body.data[0].attributes.subscriptions.email.marketing.consent);

const one = { data: [{ type: 'profile', id }] };
await lists.addProfilesToList(list, one);
said('join', 'sync-existing', null, same);

const members = await lists.getProfileIdsForList(list, { filter, pageSize: 1 });
said('member', 'lookup-found', members.body.data[0].id === id, same);

const unappend = { rekomi_tags: ['Rekomi affiliate', 'Launch'] };
await profiles.updateProfile(id, { data: { type: 'profile', id, attributes: {}, meta: { patchProperties: { unappend } } } });
said('untag', 'untag', null, same);

await lists.removeProfilesFromList(list, one);
said('leave', 'untag.leaves-the-list', null, same);
