// HubSpot's own client: the contact with its stand-in for tags, and the list.
import { Client } from '@hubspot/api-client';
import { ann, said, twin } from './common.mjs';

const { crm } = new Client({ accessToken: 'pat-na1-00000000-0000-4000-8000-000000000001', basePath: twin });
const properties = ['email', 'firstname', 'lastname', 'hs_email_optout', 'rekomi_tags'];

const byEmail = [undefined, undefined, undefined, 'email'];
const nobody = await crm.contacts.basicApi.getById(ann.email, properties, ...byEmail).catch(({ code }) => code);
said('find', 'sync-new', nobody);

const contact = { email: ann.email, firstname: ann.first, lastname: ann.last, rekomi_tags: 'Rekomi affiliate;Launch' };
const made = await crm.contacts.basicApi.create({ properties: contact, associations: [] });
said('create', 'sync-new', [made.id, made.properties.email, made.properties.rekomi_tags]);

const joined = await crm.lists.membershipsApi.add('77', [made.id]);
said('join', 'sync-new', joined.recordsIdsAdded);

const read = await crm.contacts.basicApi.getById(made.id, properties);
said('read', 'untag', [read.id, read.properties.rekomi_tags]);

const updated = await crm.contacts.basicApi.update(made.id, { properties: { rekomi_tags: 'By hand' } });
said('untag', 'untag', [updated.id, updated.properties.rekomi_tags]);
