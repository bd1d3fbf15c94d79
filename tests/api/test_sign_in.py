from support.people import Person


async def test_a_code_signs_in_after_the_password(enrolled: Person) -> None:
    answer = await enrolled.verify()

    assert 200 == answer.status_code
    assert ["pwd", "otp"] == answer.json()["session"]["amr"]
    assert (await enrolled.get("/session")).json()["user"]["username"] == "alice"


async def test_the_same_code_is_refused_the_second_time(enrolled: Person) -> None:
    code = enrolled.fresh_code()
    await enrolled.verify(code=code)

    answer = await enrolled.verify(code=code)

    assert 400 == answer.status_code
    assert "code_refused" == answer.json()["reason"]
