// Mailchimp's own client: the contact, its tags, and what the connector reads besides.
import { createHash } from 'node:crypto';
import mailchimp from '@mailchimp/mailchimp_marketing';
import { ann, credentials, picked, said, twin } from './common.mjs';

mailchimp.setConfig({ apiKey: credentials.api_key, server: 'us18' });
mailchimp.basePath = `${twin}/3.0`;

const list = picked.audience;
const hash = createHash('md5').update(ann.email).digest('hex');
const tags = (names, status) => ({ tags: names.map((name) => ({ name, status })), is_syncing: false });

const root = await mailchimp.root.getRoot({ fields: ['account_id', 'account_name', 'role'] });
said('account', 'verify-ok', [root.account_name, root.role]);

const fields = ['lists.id', 'lists.name', 'lists.double_optin', 'lists.stats.member_count', 'total_items'];
const lists = await mailchimp.lists.getAllLists({ fields, count: 1000, offset: 0 });
said('list_audiences', 'choices-two-pages', lists.lists.map(({ id, name }) => [id, name]));

const merge = ['merge_fields.tag', 'merge_fields.name', 'merge_fields.type', 'total_items'];
const asked = await mailchimp.lists.getListMergeFields(list, { fields: merge, count: 1000, offset: 0 });
said('list_fields', 'choices-fields', asked.merge_fields.map(({ tag, type }) => [tag, type]));

const member = { email_address: ann.email, status_if_new: 'subscribed', merge_fields: { FNAME: ann.first, LNAME: ann.last } };
const saved = await mailchimp.lists.setListMember(list, hash, member, { skipMergeValidation: true });
said('save', 'sync-new', [saved.id, saved.status, saved.merge_fields]);

await mailchimp.lists.updateListMemberTags(list, hash, tags(['Rekomi affiliate', 'Launch'], 'active'));
said('tag', 'sync-new', null);

const found = await mailchimp.lists.tagSearch(list);
said('list_tags', 'choices-tags', found.tags.map(({ name }) => name));

const shown = await mailchimp.lists.getListMember(list, hash, { fields: ['id', 'status', 'tags', 'tags_count'] });
said('member', 'lookup-found', [shown.id, shown.status, shown.tags.map(({ name }) => name)]);

await mailchimp.lists.updateListMemberTags(list, hash, tags(['Rekomi affiliate'], 'inactive'));
said('untag', 'untag', null);

const rest = await mailchimp.lists.getListMemberTags(list, hash, { fields: ['tags.name', 'total_items'], count: 1000, offset: 0 });
said('member_tags', 'lookup-found.many-tags', rest.tags.map(({ name }) => name));
