import { ButtonLink, Empty, usePage } from "../../kit/index.ts";

export default function Gone() {
  return (
    <Empty
      title="There is no such page"
      heading={usePage("Not found")}
      icon="search"
      action={
        <ButtonLink href="/" kind="primary">
          To the shop
        </ButtonLink>
      }
    >
      The address may be mistyped, or the page has moved.
    </Empty>
  );
}
