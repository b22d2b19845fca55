//! What becomes of a request: answered, refused at once, lost; and of those under way when the answering ends.

use promptory_test_nats::Server;
use tokio::sync::{mpsc, watch};

use super::*;

const WAIT: Duration = Duration::from_secs(5);

async fn client(server: &Server, user: &str) -> Client {
    let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), user.to_owned());
    options.connect(server.url()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_answered_or_told_at_once_why_not_and_what_is_under_way_is_finished() {
    let server = Server::start();
    let user = server.user().name;
    let (asker, answerer) = (client(&server, &user).await, client(&server, &user).await);
    let ask = async |text: &'static str| ask(&asker, "q.1".to_owned(), text.into(), WAIT).await;
    assert_eq!(ask("early").await, Err(NoAnswer::Nobody));

    let answering = Answering::start(answerer, "test", "Answers what it was asked").await.unwrap();
    let (begun, mut begins) = mpsc::channel(1024);
    let (go, gone) = watch::channel(false);
    let handle = move |request: Bytes| {
        let (begun, mut gone) = (begun.clone(), gone.clone());
        async move {
            begun.try_send(()).unwrap();
            if request == "slow" {
                let _ = gone.wait_for(|go| *go).await;
            }
            request
        }
    };
    let (subject, queue) = ("q.1".to_owned(), "q".to_owned());
    let place = Place { subject, queue, at_once: Arc::new(Semaphore::new(2)), busy: "busy".into() };
    answering.listen(place, handle).await.unwrap();
    assert_eq!(ask("quick").await.unwrap(), "quick");
    begins.recv().await.unwrap();

    let slow = || {
        let asker = asker.clone();
        tokio::spawn(async move { super::ask(&asker, "q.1".to_owned(), "slow".into(), WAIT).await })
    };
    let under_way = [slow(), slow()];
    for _ in &under_way {
        begins.recv().await.unwrap();
    }
    assert_eq!(ask("third").await.unwrap(), "busy", "two are answered at once");
    let _silent = asker.subscribe("silent").await.unwrap();
    let lost = super::ask(&asker, "silent".to_owned(), "x".into(), Duration::from_millis(10)).await;
    assert!(matches!(lost, Err(NoAnswer::Lost(_))), "{lost:?}");

    let ending = tokio::spawn(answering.stop());
    // One that comes just as the listening ends is lost, and must not be waited for as long as those under way.
    let late = async || super::ask(&asker, "q.1".to_owned(), "late".into(), WAIT / 50).await;
    while late().await != Err(NoAnswer::Nobody) {}
    assert!(!ending.is_finished(), "two are under way");
    go.send(true).unwrap();
    for one in under_way {
        assert_eq!(one.await.unwrap().unwrap(), "slow", "taken, so answered");
    }
    ending.await.unwrap();
    server.kill();
    while ask("gone").await != Err(NoAnswer::NoConnection) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_gone_with_a_request_in_its_hands_is_not_waited_for() {
    let server = Server::start();
    let user = server.user().name;
    let (asker, answerer) = (client(&server, &user).await, client(&server, &user).await);
    let answering = Answering::start(answerer.clone(), "test", "Answers some").await.unwrap();
    let (begun, mut begins) = mpsc::channel(1024);
    let handle = move |request: Bytes| {
        let begun = begun.clone();
        async move {
            if request == "long" {
                tokio::time::sleep(4 * LOOK).await; // it was looked for meanwhile, and is there
                return request;
            }
            begun.try_send(()).unwrap();
            std::future::pending().await
        }
    };
    let (subject, queue) = ("command.1".to_owned(), "command.1".to_owned());
    let place = Place { subject, queue, at_once: Arc::new(Semaphore::new(1)), busy: "busy".into() };
    answering.listen(place, handle).await.unwrap();
    let ask = async |text: &'static str| ask_one(&asker, "command.1".to_owned(), text.into(), Duration::MAX).await;
    assert_eq!(ask("long").await.unwrap(), "long");
    let dies = async {
        begins.recv().await.unwrap();
        answerer.drain().await.unwrap(); // its subscriptions are gone, as those of a process that was killed
    };
    let (lost, ()) = tokio::join!(ask("never"), dies);
    assert!(matches!(lost, Err(NoAnswer::Lost(_))), "{lost:?}");
    assert_eq!(ask("late").await, Err(NoAnswer::Nobody));
}
